/**
 * Changes to a header, bytes to bytes. What is not changed keeps every byte: folding, bare LF, NUL, 8-bit, an mbox
 * line, lines that are no fields, a missing empty line. What is written is ASCII, in lines that end with CRLF, and
 * never more than the one field it was meant to be.
 *
 * A new field goes to the end of the header, as mail systems do: trace fields and signatures stay together at its
 * top (RFC 5322 §3.6.7). The end is before the first line that is no field, as there other readers see the body begin.
 */
import { encodeWords, oneLine } from '../encoded-words.ts'
import { fieldAt, type HeaderField } from '../header.ts'

/** One whole field, its line break included. `formatField` and `fieldAsGiven` make it. */
export interface NewField {
  /** As it is written. */
  readonly name: string
  readonly raw: Buffer
}

/** RFC 5322 §2.1.1: lines should not be longer than 78, and must not be longer than 998, without the CRLF. */
export const goodLine = 78
export const longestLine = 998

/** A field of our own text: encoded where it is not ASCII, and folded. Throws `RangeError` where the name is none. */
export function formatField(name: string, value: string): NewField {
  checkName(name)
  const phrases = addressFields.has(name.toLowerCase())
  const text = encodeWords(withoutControls(oneLine(value)).trim(), { phrases })
  return { name, raw: Buffer.from(`${fold(text === '' ? `${name}:` : `${name}: ${text}`)}\r\n`) }
}

/**
 * A field that another program formed, such as a milter's signature: folding and spaces stay as they are, whatever ends its
 * lines. Only what a header cannot hold is mended. Throws `RangeError` where the name is none.
 */
export function fieldAsGiven(name: string, value: Buffer | string): NewField {
  checkName(name)
  const text = typeof value === 'string' ? value : decodeOctets(value)
  const lines = text
    .split(/\r\n|\r|\n/)
    .filter((line, index) => index === 0 || /[^ \t\0]/.test(line))
    .map((line, index) => (index === 0 || /^[ \t]/.test(line) ? line : ` ${line}`))
  const [first = '', ...folded] = lines
  const written = [`${name}:${/^[ \t]/.test(first) || first === '' ? '' : ' '}${first}`, ...folded]
  const isFit = written.every((line) => line.length <= longestLine && /^[\x01-\x7f]*$/.test(line))
  return isFit ? { name, raw: Buffer.from(`${written.join('\r\n')}\r\n`) } : formatField(name, lines.join(''))
}

/** Instead of all fields of its name, at the place of the first; at the end where there is none. */
export function setField(header: Buffer, field: NewField): Buffer {
  const old = named(header, field.name)
  if (old.length === 0) return addField(header, field)
  return splice(
    header,
    old.map((place, index) => replacing(place, index === 0 ? field.raw : nothing)),
  )
}

/** At the end of the header, whatever fields of its name there are. */
export function addField(header: Buffer, field: NewField): Buffer {
  return insertAt(header, endOfFields(header), field)
}

/** All fields of that name, in any case. */
export function removeFields(header: Buffer, name: string): Buffer {
  return splice(
    header,
    named(header, name).map((place) => replacing(place, nothing)),
  )
}

/** Before the field with that index, from 0, whatever its name; at the end where there are not so many. */
export function insertField(header: Buffer, field: NewField, index: number): Buffer {
  let count = 0
  for (const place of placesOf(header))
    if (place.name !== null && count++ === index) return insertAt(header, place.from, field)
  return addField(header, field)
}

/** Instead of the nth field of its name, from 1; at the end where there are not so many. */
export function changeField(header: Buffer, field: NewField, nth: number): Buffer {
  const place = named(header, field.name)[nth - 1]
  return place === undefined ? addField(header, field) : splice(header, [replacing(place, field.raw)])
}

/** The nth field of that name, from 1; nothing happens where there are not so many. */
export function removeField(header: Buffer, name: string, nth: number): Buffer {
  const place = named(header, name)[nth - 1]
  return place === undefined ? header : splice(header, [replacing(place, nothing)])
}

/** All Received fields. */
export function stripReceived(header: Buffer): Buffer {
  return removeFields(header, 'Received')
}

/** Each field of that name as `change` wants it: it gets the raw field and returns what stands instead. */
export function mapFields(header: Buffer, name: string, change: (raw: Buffer) => Buffer): Buffer {
  return splice(
    header,
    named(header, name).map((place) => replacing(place, change(place.raw))),
  )
}

/** The line folded at white space, so that it has no line over 78 where that can be; no line is white space alone. */
export function fold(line: string): string {
  let folded = ''
  let length = 0
  let pieces = 0
  for (const [piece] of line.matchAll(/[ \t]*[^ \t]+/g)) {
    // Not between the name and the value's first word: some readers take that for an empty field.
    const breaks = pieces > 1 && length + piece.length > goodLine
    folded += breaks ? `\r\n${piece}` : piece
    length = breaks ? piece.length : length + piece.length
    pieces++
  }
  return folded
}

const nothing = Buffer.alloc(0)
const CRLF = Buffer.from('\r\n')

/** Fields that hold address lists (RFC 5322 §3.6.2, §3.6.3, §3.6.6). */
const addressFields = new Set(
  ['from', 'sender', 'reply-to', 'to', 'cc', 'bcc'].flatMap((name) => [name, `resent-${name}`]),
)

function checkName(name: string): void {
  if (!/^[\x21-\x39\x3b-\x7e]{1,76}$/.test(name))
    throw new RangeError(`Cannot write a header field named ${JSON.stringify(name.slice(0, 100))}`)
}

const withoutControls = (text: string): string => text.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, ' ')

/** Octets that are not UTF-8 are most likely Latin-1: they stay readable. */
function decodeOctets(octets: Buffer): string {
  const text = octets.toString('utf8')
  return text.includes('\ufffd') ? octets.toString('latin1') : text
}

interface Place extends HeaderField {
  readonly from: number
  readonly to: number
}

/** One after the other, as a hostile header may have very many. */
function* placesOf(header: Buffer): Generator<Place> {
  for (let at = 0; ; ) {
    const field = fieldAt(header, at)
    if (field === null) return
    const to = at + field.raw.length
    yield { name: field.name, raw: field.raw, from: at, to }
    at = to
  }
}

function named(header: Buffer, name: string): Place[] {
  const wanted = name.toLowerCase()
  const places: Place[] = []
  for (const place of placesOf(header)) if (place.name === wanted) places.push(place)
  return places
}

/** Where a new field goes that is to be the last. */
function endOfFields(header: Buffer): number {
  let end = 0
  for (const place of placesOf(header)) {
    if (place.name === null && !isPreface(place)) return place.from
    end = place.to
  }
  return end
}

/** An mbox line stays the first; so does a fold of nothing, which would become part of a field put before it. */
function isPreface(place: Place): boolean {
  return place.from === 0 && /^(?:>?From |[ \t])/.test(place.raw.toString('latin1', 0, 6))
}

function insertAt(header: Buffer, at: number, field: NewField): Buffer {
  // A header that nothing ends may have a last line that nothing ends.
  const isLineStart = at === 0 || header[at - 1] === 0x0a
  const by = isLineStart ? field.raw : Buffer.concat([CRLF, field.raw])
  return splice(header, [{ from: at, to: at, by }])
}

interface Splice {
  readonly from: number
  readonly to: number
  readonly by: Buffer
}

const replacing = ({ from, to }: Place, by: Buffer): Splice => ({ from, to, by })

/** The header itself where nothing is to be changed. */
function splice(header: Buffer, splices: readonly Splice[]): Buffer {
  if (splices.length === 0) return header
  const pieces: Buffer[] = []
  let at = 0
  for (const { from, to, by } of splices) {
    pieces.push(header.subarray(at, from), by)
    at = to
  }
  pieces.push(header.subarray(at))
  return Buffer.concat(pieces)
}
