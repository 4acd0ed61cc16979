/**
 * Changes to the fields that hold addresses: who is the author, and who else gets the message. Display names,
 * comments and folding keep their bytes.
 */
import { oneLine } from '../encoded-words.ts'
import { fieldsNamed, fieldValue, fromAddresses, parseHeader, parseMailboxes } from '../header.ts'
import {
  addField,
  changeField,
  goodLine,
  longestLine,
  mapFields,
  type NewField,
  setField,
} from './header-edit.ts'

/**
 * The author's mailbox becomes that address; the display name stays. Where From has no single mailbox, it becomes
 * the address alone: a name cannot be chosen among several. Sender and Resent fields speak of others.
 */
export function rewriteFrom(header: Buffer, address: string): Buffer {
  const author = fromAddresses(parseHeader(header))
  if ('address' in author) return mapFields(header, 'From', (raw) => withMailbox(raw, address))
  return setField(header, addressField('From', [address]))
}

export interface AddedMailboxes {
  readonly field: 'To' | 'Cc'
  readonly addresses: readonly string[]
}

/** The addresses after those that the field has, without those it names already. */
export function addMailboxes(header: Buffer, { field, addresses }: AddedMailboxes): Buffer {
  const [old] = fieldsNamed(parseHeader(header), field.toLowerCase())
  const known = old === undefined ? [] : (parseMailboxes(fieldValue(old)) ?? [])
  const added = [...new Set(addresses)].filter((address) => known.every((other) => other.address !== address))
  if (added.length === 0) return header
  // In a list that ends within a quote, comment or address, what follows would be part of that.
  if (old === undefined || !readList(old.raw).isClosed) return addField(header, addressField(field, added))
  return changeField(header, { name: field, raw: appended(old.raw, added) }, 1)
}

/** Addresses are written as they are: one that is not ASCII needs SMTPUTF8 anyway, and has no encoded form. */
function addressField(name: string, addresses: readonly string[]): NewField {
  return { name, raw: Buffer.from(`${joinFolded(`${name}:`, addresses)}\r\n`) }
}

function appended(raw: Buffer, addresses: readonly string[]): Buffer {
  const text = raw.toString('latin1')
  const list = text.replace(/\r?\n$/, '')
  const isEmpty = /:\s*$/.test(list) && list.trimEnd().length === list.indexOf(':') + 1
  const written = addresses.map((address) => Buffer.from(address).toString('latin1'))
  const joined = joinFolded(isEmpty ? list.trimEnd() : list, written)
  return Buffer.from(joined + (text.slice(list.length) || '\r\n'), 'latin1')
}

/** Each address on the line where it and a comma fit, else on the next. */
function joinFolded(start: string, addresses: readonly string[]): string {
  let joined = start
  for (const address of addresses) {
    const length = joined.length - (joined.lastIndexOf('\n') + 1)
    const isFirst = joined.endsWith(':')
    // A list may end in a comma; and a line that is as long as lines may be has no room for one.
    const comma = isFirst || /,\s*$/.test(joined) ? '' : length < longestLine ? ',' : '\r\n ,'
    const fits = length + comma.length + address.length + 2 <= goodLine
    joined += `${comma}${fits || isFirst ? ' ' : '\r\n '}${oneLine(address)}`
  }
  return joined
}

function withMailbox(raw: Buffer, address: string): Buffer {
  const text = raw.toString('latin1')
  const { mailbox } = readList(raw)
  const before = text.slice(0, mailbox.from)
  const after = text.slice(mailbox.to)
  const written = Buffer.from(oneLine(address)).toString('latin1')
  const lastLine = before.slice(before.lastIndexOf('\n') + 1)
  const fits = lastLine.length + written.length + /^[^\r\n]*/.exec(after)![0].length <= goodLine
  // A fold between the display name and `<`, where there is a name on that line.
  const name = /^(.*[^ \t])[ \t]*<$/s.exec(before)
  const folds = !fits && name !== null && !/^(?:[^:]*:)?[ \t]*<$/.test(lastLine)
  return Buffer.from(`${folds ? `${name[1]}\r\n <` : before}${written}${after}`, 'latin1')
}

interface ReadList {
  /** Where the first address in angle brackets stands, without them; else all but comments and white space around. */
  readonly mailbox: { readonly from: number; readonly to: number }
  /** Whether the list ends outside of quotes, comments and angle brackets. */
  readonly isClosed: boolean
}

/** Finds its way through a raw field by quotes, comments and angle brackets alone (RFC 5322 §3.2). */
function readList(raw: Buffer): ReadList {
  const text = raw.toString('latin1')
  const colon = text.indexOf(':') + 1
  const angle = { from: -1, to: -1 }
  const bare = { from: -1, to: colon }
  let isQuoted = false
  let isAngle = false
  let comments = 0
  for (let at = colon; at < text.length; at++) {
    const character = text[at]!
    if (character === '\\' && (isQuoted || comments > 0)) at++
    else if (character === '"' && comments === 0) isQuoted = !isQuoted
    else if (!isQuoted && character === '(') comments++
    else if (comments > 0 && character === ')') comments--
    else if (!isQuoted && comments === 0 && character === '<') {
      isAngle = true
      if (angle.from === -1) angle.from = at + 1
    } else if (!isQuoted && comments === 0 && character === '>') {
      isAngle = false
      if (angle.from !== -1 && angle.to === -1) angle.to = at
    }
    if (comments === 0 && !/[\s)]/.test(character)) {
      if (bare.from === -1) bare.from = at
      bare.to = at + 1
    }
  }
  return {
    mailbox: angle.to === -1 ? { from: Math.max(bare.from, colon), to: bare.to } : angle,
    isClosed: !isQuoted && !isAngle && comments === 0,
  }
}
