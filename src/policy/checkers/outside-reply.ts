/**
 * A refusal in an outside checker's words, made fit to be an SMTP reply of ours: one line of printable ASCII, a code
 * and an enhanced code of one class. A checker refuses messages; it does not close our sessions, as 421 and 521 would.
 */
import { parseReply, printable, type Reply } from '../../reply.ts'

/** As in the configuration's replies; with code and enhanced code it stays below the 512 octets of RFC 5321 §4.5.3.1.5. */
const longestText = 400

export function outsideReply(words: {
  readonly code: number
  /** Default, also where its class is another: X.7.1. */
  readonly enhanced?: string | null
  readonly text: string
}): Reply {
  const code = words.code === 421 ? 451 : words.code === 521 ? 554 : words.code
  const kind = Math.floor(code / 100)
  const enhanced = words.enhanced?.startsWith(`${kind}.`) ? words.enhanced : `${kind}.7.1`
  return { code, enhanced, text: oneLine(words.text) || 'Refused by a content check' }
}

/** `550 5.7.1 Text`, `450 Text`; null where it is no refusal. */
export function parseRefusal(text: string): Reply | null {
  const reply = parseReply(text)
  return reply === null || reply.code < 400 ? null : outsideReply(reply)
}

/** Words of a checker within a reply of ours: a signature's name, for example. */
export function oneLine(text: string): string {
  return printable(text)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, longestText)
    .trim()
}
