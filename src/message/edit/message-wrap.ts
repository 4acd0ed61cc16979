/**
 * A message as an attachment of a new one that says something about it. The original is attached byte for byte,
 * its header included. The new message goes on in its place: it has all of its fields (trace, originator,
 * destinations, identification) except those that describe or sign its content.
 */
import { isAscii } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { type Draft, readDraft } from '../draft.ts'
import { fieldAt, parseHeader } from '../header.ts'
import { addField, formatField, longestLine } from './header-edit.ts'
import { encodeAll } from './transfer-encoder.ts'

/** The text, with lines that end with CRLF. The draft's body is read once before this resolves. */
export async function wrapMessage(draft: Draft, text: string): Promise<Draft> {
  const boundary = `=_wrapped-${randomUUID()}`
  const encoding = (await isEightBit(draft)) ? '8bit' : '7bit'
  let header = keptFields(draft.header)
  header = addField(header, formatField('MIME-Version', '1.0'))
  header = addField(header, formatField('Content-Type', `multipart/mixed; boundary="${boundary}"`))
  header = addField(header, formatField('Content-Transfer-Encoding', encoding))
  const before = Buffer.concat([
    Buffer.from(`--${boundary}\r\n`),
    textPart(text),
    Buffer.from(`\r\n--${boundary}\r\nContent-Type: message/rfc822\r\n`),
    Buffer.from(`Content-Transfer-Encoding: ${encoding}\r\nContent-Disposition: attachment\r\n\r\n`),
  ])
  const after = Buffer.from(`\r\n--${boundary}--\r\n`)
  const body = {
    async *read() {
      yield before
      yield* readDraft(draft)
      yield after
    },
  }
  return { header: endedHeader(header), body }
}

/** With the empty line that ends it: a message that has none cannot have a body. */
export function endedHeader(header: Buffer): Buffer {
  const { sizeBytes } = parseHeader(header)
  if (sizeBytes < header.length) return header
  const endsLine = header.length === 0 || header.at(-1) === 0x0a
  return Buffer.concat([header, Buffer.from(endsLine ? '\r\n' : '\r\n\r\n')])
}

/** Signatures stay with the original, whose content they sign. */
const droppedField = /^(?:content-.*|mime-version|dkim-signature|domainkey-signature|arc-.*|lines)$/

/** Lines that are no fields stay with the original too, but for the mbox line that begins the message. */
function keptFields(header: Buffer): Buffer {
  const kept: Buffer[] = []
  for (let at = 0; ; ) {
    const field = fieldAt(header, at)
    if (field === null) break
    const isMbox = at === 0 && field.name === null && field.raw.toString('latin1', 0, 5) === 'From '
    if (field.name === null ? isMbox : !droppedField.test(field.name)) kept.push(field.raw)
    at += field.raw.length
  }
  return Buffer.concat(kept)
}

function textPart(text: string): Buffer {
  const bytes = Buffer.from(text)
  const isPlain = isAscii(bytes) && text.split('\r\n').every((line) => line.length <= longestLine)
  const encoding = isPlain ? '7bit' : 'quoted-printable'
  const head = `Content-Type: text/plain; charset=${isPlain ? 'us-ascii' : 'utf-8'}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), isPlain ? bytes : encodeAll('quoted-printable', bytes)])
}

async function isEightBit(draft: Draft): Promise<boolean> {
  for await (const chunk of readDraft(draft)) if (!isAscii(chunk)) return true
  return false
}
