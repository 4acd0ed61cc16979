/** What kind of message it is, by its header and the types of its own parts. */

import { fieldsNamed, fieldValue, type Header } from '../header.ts'
import type { MessageType } from './content.ts'
import type { PartHeader } from './part-header.ts'

/** By the message's own header. */
export function headerTypes(header: Header): MessageType[] {
  const first = (name: string): string => {
    const field = fieldsNamed(header, name)[0]
    return field === undefined ? '' : fieldValue(field).toLowerCase()
  }
  const types: MessageType[] = []
  const answered = first('auto-submitted').startsWith('auto-replied')
  // Before RFC 3834 there were these.
  const olderAnswer =
    first('precedence') === 'auto_reply' || first('x-autoreply') !== '' || first('x-autorespond') !== ''
  if (answered || olderAnswer) types.push('autoReply')
  // RFC 2156, and Exchange.
  const forwarded = ['autoforwarded', 'auto-forwarded', 'x-ms-exchange-organization-autoforwarded']
  if (forwarded.some((name) => first(name) === 'true')) types.push('autoForward')
  return types
}

/** By one of its parts. */
export function partTypes(part: PartHeader): MessageType[] {
  switch (part.contentType) {
    case 'text/calendar':
      return ['calendar']
    case 'multipart/signed':
      return ['signed']
    case 'multipart/encrypted':
    case 'application/x-microsoft-rpmsg-message': // Rights Management
      return ['encrypted']
    case 'application/pkcs7-mime':
    case 'application/x-pkcs7-mime':
      return smimeTypes(part.parameter('smime-type')?.toLowerCase() ?? '')
    case 'multipart/report':
      return part.parameter('report-type')?.toLowerCase() === 'disposition-notification'
        ? ['readReceipt']
        : []
    case 'message/disposition-notification':
      return ['readReceipt']
    case 'application/ms-tnef':
    case 'application/vnd.ms-tnef':
      return ['tnef']
    default:
      return part.name?.toLowerCase() === 'winmail.dat' ? ['tnef'] : []
  }
}

/** Without the parameter the content tells. */
function smimeTypes(smimeType: string): MessageType[] {
  if (smimeType === 'signed-data') return ['signed']
  return smimeType === 'enveloped-data' || smimeType === 'authenveloped-data' ? ['encrypted'] : []
}

/** OpenPGP in the text itself (RFC 9580 §6.2), not quoted. */
export function textTypes(text: string): MessageType[] {
  const types: MessageType[] = []
  if (/^-----BEGIN PGP SIGNED MESSAGE-----/m.test(text)) types.push('signed')
  if (/^-----BEGIN PGP MESSAGE-----/m.test(text)) types.push('encrypted')
  return types
}
