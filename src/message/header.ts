/**
 * The header of a message, read without changing a byte: fields keep their raw bytes, folding included, and
 * joined they are the header again. Tolerant of what mail really looks like; strict only in `fromAddresses`,
 * where a guess could bind a message to somebody else's connector.
 */
import { type ParsedAddress, parseAddress } from '../address.ts'

export interface HeaderField {
  /** Lower case; null for a line that is no field, such as an mbox `From ` line. */
  readonly name: string | null
  /** Name, colon, value, folding and the final line break. */
  readonly raw: Buffer
}

export interface Header {
  readonly fields: readonly HeaderField[]
  /** Of all fields together, without the empty line that ends them. */
  readonly sizeBytes: number
  /** False where there are more fields than `mostFields`: the rest is the last one, without a name. */
  readonly complete: boolean
}

/** More than any mail system writes: memory does not grow with a header made of colons. */
const mostFields = 2000
/** Longer address lists than a person writes have no reading; it also bounds what a pattern has to remember. */
const longestList = 64 * 1024

/** Reads a header alone or at the beginning of a message: it ends at the first empty line. */
export function parseHeader(bytes: Buffer): Header {
  const fields: HeaderField[] = []
  let at = 0
  while (fields.length < mostFields) {
    const field = fieldAt(bytes, at)
    if (field === null) break
    fields.push(field)
    at += field.raw.length
  }
  const sizeBytes = endOfHeader(bytes, at)
  if (sizeBytes > at) fields.push({ name: null, raw: bytes.subarray(at, sizeBytes) })
  return { fields, sizeBytes, complete: sizeBytes === at }
}

/** The field that begins at `at`; null at the empty line that ends the header, or at the end. */
export function fieldAt(bytes: Buffer, at: number): HeaderField | null {
  if (at >= bytes.length || isLineBreak(bytes, at)) return null
  return readField(bytes.subarray(at, endOfField(bytes, at)))
}

/** All fields of that name, in their order; the name in lower case. */
export function fieldsNamed(header: Header, name: string): HeaderField[] {
  return header.fields.filter((field) => field.name === name)
}

/** What stands after the colon, unfolded (RFC 5322 §2.2.3); octets that are not UTF-8 read as U+FFFD. */
export function fieldValue(field: HeaderField): string {
  const text = field.raw.toString('utf8')
  return text
    .slice(text.indexOf(':') + 1)
    .replace(/\r?\n(?=[ \t]|$)/g, '')
    .trim()
}

export type FromDefect =
  | 'none' // no From field, or one without a mailbox
  | 'several' // more than one field or mailbox: first or last is a matter of taste, so neither
  | 'unparsable'

/**
 * The author, where exactly one From field holds exactly one mailbox; else what is wrong. Readers differ on the
 * rest (mailparser takes the last of several fields, others the first), so nothing of it may bind a sender.
 */
export function fromAddresses(header: Header): ParsedAddress | { readonly defect: FromDefect } {
  if (!header.complete) return { defect: 'unparsable' }
  const fields = fieldsNamed(header, 'from')
  if (fields.length !== 1) return { defect: fields.length === 0 ? 'none' : 'several' }
  const mailboxes = parseMailboxes(fieldValue(fields[0]!))
  if (mailboxes === null) return { defect: 'unparsable' }
  if (mailboxes.length !== 1) return { defect: mailboxes.length === 0 ? 'none' : 'several' }
  return mailboxes[0]!
}

/**
 * The addresses in an address list (RFC 5322 §3.4), members of groups included, display names and comments
 * left out. Null where any part of it has no reading or a second one: a source route, an unquoted `@` or comma
 * in a display name, an address that `parseAddress` refuses.
 */
export function parseMailboxes(list: string): ParsedAddress[] | null {
  const tokens = list.length > longestList ? null : tokenise(list)
  if (tokens === null) return null
  const mailboxes: ParsedAddress[] = []
  let group: 'none' | 'open' | 'closed' = 'none'
  let part: Token[] = []
  for (const token of [...tokens, endOfList]) {
    const ends = token.text === ',' || token.text === ';' || token === endOfList
    if (isSpecial(token, ':') && group === 'none' && isPhrase(part)) {
      group = 'open'
      part = []
    } else if (token.kind !== 'special' || !ends) {
      if (group === 'closed') return null
      part.push(token)
    } else {
      if (part.length > 0) {
        const mailbox = readMailbox(part)
        if (mailbox === null) return null
        mailboxes.push(mailbox)
        part = []
      }
      if (token.text === ';' && group !== 'open') return null
      if (token.text === ';') group = 'closed'
      else if (group === 'closed') group = 'none'
    }
  }
  return group === 'open' ? null : mailboxes
}

const isFoldingSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09

/** Where the line after `at` begins. */
function nextLine(bytes: Buffer, at: number): number {
  const lineFeed = bytes.indexOf(0x0a, at)
  return lineFeed === -1 ? bytes.length : lineFeed + 1
}

function endOfField(bytes: Buffer, start: number): number {
  let end = nextLine(bytes, start)
  while (isFoldingSpace(bytes[end])) end = nextLine(bytes, end)
  return end
}

function endOfHeader(bytes: Buffer, start: number): number {
  let end = start
  while (end < bytes.length && !isLineBreak(bytes, end)) end = nextLine(bytes, end)
  return end
}

function isLineBreak(bytes: Buffer, at: number): boolean {
  return bytes[at] === 0x0a || (bytes[at] === 0x0d && bytes[at + 1] === 0x0a)
}

function readField(raw: Buffer): HeaderField {
  return { name: fieldName(raw), raw }
}

/** White space before the colon is obsolete (RFC 5322 §4.5), but readers accept it, so such a field counts. */
function fieldName(raw: Buffer): string | null {
  let end = 0
  while (isFieldNameByte(raw[end])) end++
  let colon = end
  while (isFoldingSpace(raw[colon])) colon++
  return end > 0 && raw[colon] === 0x3a ? raw.toString('latin1', 0, end).toLowerCase() : null
}

/** RFC 5322 §3.6.8: printable ASCII but the colon. */
const isFieldNameByte = (byte: number | undefined): boolean =>
  byte !== undefined && byte > 0x20 && byte < 0x7f && byte !== 0x3a

interface Token {
  /** `word` is an atom or dot-atom, also an encoded word; `literal` a domain in brackets. */
  readonly kind: 'word' | 'quoted' | 'literal' | 'special'
  readonly text: string
}

const endOfList: Token = { kind: 'special', text: '' }
const isSpecial = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'special' && token.text === text

const tokenPatterns: readonly (readonly [Token['kind'], RegExp])[] = [
  ['word', /[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\u{10ffff}]+/uy],
  ['quoted', /"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10ffff}]|\\[\t\x20-\x7e])*"/uy],
  ['literal', /\[[\x21-\x5a\x5e-\x7e]*\]/y],
  ['special', /[<>@,;:]/y],
]

/** Null where a character fits nowhere, or a comment or quoted string does not end. */
function tokenise(text: string): Token[] | null {
  const tokens: Token[] = []
  for (let at = 0; at < text.length; ) {
    const afterSpace = skipComments(text, at)
    if (afterSpace === null) return null
    if (afterSpace > at) {
      at = afterSpace
      continue
    }
    const token = readToken(text, at)
    if (token === null) return null
    tokens.push(token)
    at += token.text.length
  }
  return tokens
}

function readToken(text: string, at: number): Token | null {
  for (const [kind, pattern] of tokenPatterns) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) return { kind, text: match[0] }
  }
  return null
}

/** White space and comments, which nest (RFC 5322 §3.2.2); null where one does not end. */
function skipComments(text: string, start: number): number | null {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (character === '(') depth++
    else if (depth > 0 && character === ')') depth--
    else if (depth > 0 && character === '\\') at++
    else if (depth === 0 && character !== ' ' && character !== '\t') return at
  }
  return depth === 0 ? text.length : null
}

const isPhrase = (tokens: readonly Token[]): boolean =>
  tokens.length > 0 && tokens.every((token) => token.kind === 'word' || token.kind === 'quoted')

/** `display name <local@domain>` or `local@domain`. */
function readMailbox(tokens: readonly Token[]): ParsedAddress | null {
  const open = tokens.findIndex((token) => isSpecial(token, '<'))
  if (open === -1) return readAddress(tokens)
  if (!isSpecial(tokens.at(-1), '>')) return null
  if (open > 0 && !isPhrase(tokens.slice(0, open))) return null
  return readAddress(tokens.slice(open + 1, -1))
}

/** Local part, `@`, domain, and nothing else; what may stand in them is for `parseAddress` to say. */
function readAddress(tokens: readonly Token[]): ParsedAddress | null {
  const [local, at, domain] = tokens
  if (tokens.length !== 3 || !local || !domain || !isSpecial(at, '@')) return null
  const parsed = parseAddress(`${local.text}@${domain.text}`)
  return 'error' in parsed ? null : parsed
}
