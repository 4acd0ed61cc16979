/**
 * SMTP replies (RFC 5321 §4.2, RFC 3463). A reply is made by one of three constructors, each of which
 * writes the class digit itself, so that the code and its enhanced code cannot disagree.
 */

export interface Reply {
  readonly code: number
  /** `5.7.1`; null where a peer sent none. */
  readonly enhanced: string | null
  readonly text: string
}

/** A positive reply: `success('1.0', 'Ok')` is `250 2.1.0 Ok`. */
export function success(enhancedTail: string, text: string, code = 250): Reply {
  return { code, enhanced: `2.${enhancedTail}`, text }
}

/** A temporary refusal (4yz): the peer keeps the message and tries again. */
export function temporary(enhancedTail: string, text: string, code = 451): Reply {
  if (code < 400 || code > 499) throw new RangeError(`Cannot make a temporary reply with code ${code}`)
  return { code, enhanced: `4.${enhancedTail}`, text }
}

/** A permanent refusal (5yz): the same command will never succeed unchanged. */
export function permanent(enhancedTail: string, text: string, code = 550): Reply {
  if (code < 500 || code > 599) throw new RangeError(`Cannot make a permanent reply with code ${code}`)
  return { code, enhanced: `5.${enhancedTail}`, text }
}

/** What a peer gets for a fault of ours: temporary, and nothing about the fault (design §2.5). */
export const localError: Reply = temporary('3.0', 'Temporary local problem, please try again later')

export const isPositive = (reply: Reply): boolean => reply.code >= 200 && reply.code < 300
export const isTemporary = (reply: Reply): boolean => reply.code >= 400 && reply.code < 500
export const isPermanent = (reply: Reply): boolean => reply.code >= 500 && reply.code < 600

/** One line, as it is logged and stored: `550 5.7.1 Relaying denied`. */
export function formatReply(reply: Reply): string {
  return reply.enhanced === null
    ? `${reply.code} ${reply.text}`
    : `${reply.code} ${reply.enhanced} ${reply.text}`
}

/**
 * Reads what a peer answered, one line or several (RFC 5321 §4.2.1). Line breaks become spaces, control
 * characters `?`, and the text is capped: a reply is hostile input that ends in logs and DSNs.
 * Returns null where the text does not begin with a reply code.
 */
export function parseReply(raw: string): Reply | null {
  if (raw.includes('\n')) return parseLines(raw)
  if (!replyCode.test(raw)) return null
  const code = Number(raw.slice(0, 3))
  enhancedCode.lastIndex = 4
  if (raw[4] !== raw[0] || !enhancedCode.test(raw))
    return { code, enhanced: null, text: printable(raw.slice(4).trim()) }
  const end = enhancedCode.lastIndex
  return { code, enhanced: raw.slice(4, end), text: printable(raw.slice(end).trim()) }
}

const replyCode = /^[2-5]\d\d(?:[ -]|$)/
/** RFC 3463 §2, where it stands. */
const enhancedCode = /[245]\.\d{1,3}\.\d{1,3}(?= |$)/y

function parseLines(raw: string): Reply | null {
  const lines = raw.split(/\r?\n/).filter((line) => line !== '')
  const first = /^([2-5]\d\d)(?:[ -]|$)/.exec(lines[0] ?? '')
  if (!first) return null
  const code = Number(first[1])
  let enhanced: string | null = null
  const texts = lines.map((line) => {
    const rest = line.replace(/^\d\d\d[ -]?/, '')
    const match = /^([245]\.\d{1,3}\.\d{1,3})(?: |$)/.exec(rest)
    if (!match || match[1]![0] !== String(code)[0]) return rest
    enhanced ??= match[1]!
    return match[1] === enhanced ? rest.slice(match[0].length) : rest
  })
  return { code, enhanced, text: printable(texts.join(' ').trim()) }
}

const longestText = 1000

/** Text from outside, safe for one log line: control, separator and bidirectional characters become `?`. */
export function printable(text: string): string {
  const bounded = text.length <= longestText ? text : text.slice(0, longestText)
  return unprintable.test(bounded) ? bounded.replace(unprintables, '?') : bounded
}

const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/
const unprintables = new RegExp(unprintable, 'g')
