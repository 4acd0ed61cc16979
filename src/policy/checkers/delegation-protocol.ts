/**
 * The words of Postfix's policy delegation protocol (SMTPD_POLICY_README, access(5)): a request is lines of
 * `name=value` and an empty line, the answer is `action=…`, one of the actions of an access table.
 */
import { parseAddress } from '../../address.ts'
import type { EnvelopeRecipient } from '../../envelope.ts'
import { printable, type Reply } from '../../reply.ts'
import type { Transaction } from '../../smtp/transaction.ts'
import { oneLine, parseRefusal } from './outside-reply.ts'

export type DelegationState =
  | { readonly name: 'RCPT'; readonly recipient: EnvelopeRecipient }
  | { readonly name: 'END-OF-MESSAGE'; readonly messageId: string; readonly sizeBytes: number }

/** What an action does to the whole message, also where it was the answer for one recipient. */
export type Effect =
  | { readonly kind: 'hold'; readonly reason: string }
  | { readonly kind: 'drop' }
  | { readonly kind: 'prepend'; readonly name: string; readonly value: string }
  | { readonly kind: 'redirect'; readonly address: string }
  | { readonly kind: 'bcc'; readonly address: string }
  | { readonly kind: 'note'; readonly text: string }

export type DelegationAnswer =
  | { readonly kind: 'accept'; readonly effects: readonly Effect[] }
  | { readonly kind: 'refuse'; readonly reply: Reply }

/** `instance` is the same for all requests about one transaction. Attributes that we do not know are empty, as in Postfix. */
export function formatRequest(
  transaction: Transaction,
  { state, instance }: { state: DelegationState; instance: string },
): string {
  const { session, sender, declaredSizeBytes, recipients } = transaction
  const [tlsVersion = '', tlsCipher = ''] = session.tls?.split(' ') ?? []
  const atEnd = state.name === 'END-OF-MESSAGE'
  const only = recipients.length === 1 ? recipients[0]!.address : ''
  const attributes: Record<string, string | number> = {
    request: 'smtpd_access_policy',
    protocol_state: state.name,
    protocol_name: session.protocol.startsWith('SMTP') ? 'SMTP' : 'ESMTP',
    client_address: session.client.address ?? '',
    client_name: 'unknown',
    reverse_client_name: 'unknown',
    helo_name: session.helo,
    sender: sender.from,
    // Postfix names the recipient at the end where there is only one, and counts them there alone.
    recipient: atEnd ? only : state.recipient.address,
    recipient_count: atEnd ? recipients.length : 0,
    queue_id: atEnd ? state.messageId : '',
    instance,
    size: atEnd ? state.sizeBytes : (declaredSizeBytes ?? 0),
    etrn_domain: '',
    stress: '',
    sasl_method: '',
    sasl_username: session.client.user ?? '',
    sasl_sender: '',
    ccert_subject: '',
    ccert_issuer: '',
    ccert_fingerprint: '',
    ccert_pubkey_fingerprint: '',
    encryption_protocol: tlsVersion,
    encryption_cipher: tlsCipher,
    encryption_keysize: 0,
    policy_context: session.client.listener ?? '',
  }
  const lines = Object.entries(attributes).map(([name, value]) => `${name}=${printable(String(value))}\n`)
  return `${lines.join('')}\n`
}

/** The answer's lines, without the empty one. Throws where there is no action in them that we know. */
export function parseAnswer(answer: string): DelegationAnswer {
  const actions = answer.split('\n').flatMap((line) => /^action=(.*?)\r?$/.exec(line)?.[1] ?? [])
  if (actions.length !== 1) throw new Error(`answered no action: ${JSON.stringify(oneLine(answer))}`)
  return parseAction(actions[0]!.trim())
}

function parseAction(action: string): DelegationAnswer {
  const [, name = '', text = ''] = /^(\S+)\s*(.*)$/.exec(action) ?? []
  const answer = readAction(name.toUpperCase(), text)
  if (answer === null)
    throw new Error(`answered an action that is not known here: ${JSON.stringify(oneLine(action))}`)
  return answer
}

function readAction(name: string, text: string): DelegationAnswer | null {
  if (/^[45]\d\d$/.test(name)) return refuse(name, text)
  const known = actions[name]
  if (known !== undefined) return known(text)
  // In an access table, digits alone are an OK.
  return /^\d+$/.test(name) && text === '' ? accept() : null
}

/** Null: not in this form. The codes are the defaults of `access_map_reject_code` and `access_map_defer_code`. */
const actions: Readonly<Record<string, (text: string) => DelegationAnswer | null>> = {
  DUNNO: () => accept(),
  OK: () => accept(),
  REJECT: (text) => refuse('554', text),
  DEFER: (text) => refuse('450', text),
  // We ask last at RCPT: what comes to this is permitted.
  DEFER_IF_PERMIT: (text) => refuse('450', text),
  // Only softens refusals that come later, and those of ours are meant as they are.
  DEFER_IF_REJECT: (text) => accept(...note(text)),
  DISCARD: (text) => accept({ kind: 'drop' }, ...note(text)),
  HOLD: (text) => accept({ kind: 'hold', reason: oneLine(text) || 'held by policy delegation' }),
  WARN: (text) => accept(...note(text)),
  INFO: (text) => accept(...note(text)),
  PREPEND: prepend,
  REDIRECT: (text) => toAddress('redirect', text),
  BCC: (text) => toAddress('bcc', text),
}

function accept(...effects: readonly Effect[]): DelegationAnswer {
  return { kind: 'accept', effects }
}

function refuse(code: string, text: string): DelegationAnswer | null {
  const reply = parseRefusal(`${code} ${text.trim() || 'Access denied'}`)
  return reply && { kind: 'refuse', reply }
}

function note(text: string): Effect[] {
  return text === '' ? [] : [{ kind: 'note', text: oneLine(text) }]
}

function prepend(text: string): DelegationAnswer | null {
  const [, name, value] = /^([\x21-\x39\x3b-\x7e]{1,76}):[ \t]*(.*)$/.exec(text) ?? []
  return name === undefined ? null : accept({ kind: 'prepend', name, value: printable(value!) })
}

function toAddress(kind: 'redirect' | 'bcc', text: string): DelegationAnswer | null {
  const parsed = parseAddress(text.replace(/^<(.*)>$/, '$1'))
  return 'error' in parsed ? null : accept({ kind, address: parsed.address })
}
