/**
 * What of a dialogue stands in the log. Of a login nothing but the mechanism: as in Exchange's logs, challenges are
 * `<authentication response>`, and the lines that answer them are not there. What a client says that is no
 * command we know may be a login that went out of step, so it is counted and not shown.
 */
import { printable } from '../../reply.ts'

/** The command, fit for the log. */
export function commandText(line: string): string {
  const verb = verbOf(line)
  if (verb === 'AUTH') return mechanismOf(line) === null ? 'AUTH' : `AUTH ${mechanismOf(line)}`
  return shown.has(verb) ? printable(line) : `<unrecognized command, ${Buffer.byteLength(line)} octets>`
}

/** In upper case. */
export const verbOf = (line: string): string => /^\s*([A-Za-z]*)/.exec(line)![1]!.toUpperCase()

/** The mechanism that AUTH names; null where it names none that there is: then the word could be a password. */
export function mechanismOf(line: string): string | null {
  const name = /^\s*AUTH\s+(\S+)/i.exec(line)?.[1]?.toUpperCase()
  return name !== undefined && mechanisms.has(name) ? name : null
}

/**
 * A reply as one line; of several lines, the first code, two blanks and the texts, as Exchange has written them since 2013.
 * `concealed`: who answers a login may repeat what it got.
 */
export function replyText(raw: string, options: { concealed: boolean }): string {
  const lines = raw.split(/\r?\n/).filter((line) => line !== '')
  const first = lines[0] ?? ''
  const code = first.slice(0, 3)
  if (code === '334' || options.concealed) {
    const enhanced = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})(?: |$)/.exec(first)?.[1]
    return [/^\d{3}$/.test(code) ? code : '', enhanced, '<authentication response>'].filter(Boolean).join(' ')
  }
  if (lines.length === 1) return printable(first)
  return printable(`${code}  ${lines.map((line) => line.slice(4)).join(' ')}`)
}

/** UTF-8 where it is that, else octet by octet: whatever came is some text. */
export function decodeLine(line: Buffer): string {
  const text = line.toString('utf8')
  return text.includes('\ufffd') ? line.toString('latin1') : text
}

const shown = new Set(
  'EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY EXPN HELP STARTTLS ETRN TURN ATRN'.split(' '),
)
const mechanisms = new Set(
  (
    'PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM GSSAPI KERBEROS_V4 EXTERNAL ANONYMOUS XOAUTH2 OAUTHBEARER ' +
    'SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS'
  ).split(' '),
)
