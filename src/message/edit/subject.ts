/**
 * A text put before the subject, once: a subject that has it already stays as it is, also behind `Re:` and its like
 * in any language, so that it does not pile up in a conversation. The old subject keeps its bytes, encoded or folded
 * as it came; where a message has several Subject fields, all get it, as programs differ in which they show.
 */
import { decodeWords, encodeRun, encodeWords } from '../encoded-words.ts'
import { fieldValue } from '../header.ts'
import { addField, fold, formatField, goodLine, mapFields } from './header-edit.ts'

/** One space stands between the text and what was there. A missing subject becomes the text. */
export function prefixSubject(header: Buffer, text: string): Buffer {
  const prefix = text.trim()
  if (prefix === '') return header
  let isMissing = true
  const prefixed = mapFields(header, 'Subject', (raw) => {
    isMissing = false
    return hasPrefix(raw, prefix) ? raw : withPrefix(raw, prefix)
  })
  return isMissing ? addField(header, formatField('Subject', prefix)) : prefixed
}

/** `Re:`, `AW:`, `Fwd[2]:`, also with the full-width colon. */
const replyMark = /^\p{L}{1,6} ?(?:[[(]\d{1,3}[\])])? ?[:\uff1a] ?/u
/** More than conversations have in front of their subject. */
const mostReplyMarks = 20

function hasPrefix(raw: Buffer, prefix: string): boolean {
  const oneSpace = (value: string): string => value.replace(/\s+/g, ' ').trim()
  const wanted = oneSpace(prefix)
  let subject = oneSpace(decodeWords(fieldValue({ name: 'subject', raw })))
  for (let marks = 0; marks <= mostReplyMarks; marks++) {
    if (subject.startsWith(wanted)) return true
    const mark = replyMark.exec(subject)
    if (mark === null) return false
    subject = subject.slice(mark[0].length)
  }
  return false
}

function withPrefix(raw: Buffer, prefix: string): Buffer {
  const text = raw.toString('latin1')
  const colon = text.indexOf(':') + 1
  const old = text.slice(colon).replace(/^[ \t]+/, '')
  const start = fold(`${text.slice(0, colon)} ${encodedPrefix(prefix, old)}`)
  const lineLength = start.length - (start.lastIndexOf('\n') + 1)
  const firstLine = /^[^\r\n]*/.exec(old)![0]
  // An empty first line ends or folds the field already, and a subject of white space is none.
  if (firstLine === '') return Buffer.from(start + old, 'latin1')
  const gap = lineLength + 1 + firstLine.length > goodLine ? '\r\n ' : ' '
  return Buffer.from(start + gap + old, 'latin1')
}

/** White space between two encoded words is not shown (RFC 2047 §6.2): there the first has to hold it. */
function encodedPrefix(prefix: string, old: string): string {
  if (encodeWords(prefix) === prefix) return prefix
  return encodeRun(/^\s*=\?/.test(old) ? `${prefix} ` : prefix)
}
