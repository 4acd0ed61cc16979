/**
 * A structured MIME field: `attachment; filename="a.pdf"` (RFC 2045 §5.1), with parameters that are extended or
 * continued (RFC 2231). Reads what real mail writes, in time linear in its length, and says where programs
 * that are less tolerant, or tolerant in another way, would read something else.
 */
import { decodeText } from './charset.ts'

export interface Parameter {
  /** As written; null where only the extended form is there. */
  readonly plain: string | null
  /** RFC 2231, decoded; null where only the plain form is there. Readers that know it prefer it (RFC 6266 §4.3). */
  readonly extended: string | null
}

export interface MimeValue {
  /** What stands before the first `;`, in lower case. */
  readonly value: string
  readonly parameters: ReadonlyMap<string, Parameter>
  /** Null where everybody reads the same. */
  readonly defect: string | null
}

/** More than any mail program writes; what follows is not read, and that is a defect. */
const mostParameters = 100

export function parseMimeValue(text: string): MimeValue {
  const end = endOfSegment(text, 0)
  const reader = new ParameterReader()
  let at = end
  while (at < text.length && reader.count < mostParameters) at = reader.read(text, at + 1)
  if (at < text.length) reader.defect = 'more parameters than can be read'
  return {
    value: withoutComment(text.slice(0, end)).trim().toLowerCase(),
    parameters: reader.parameters(),
    defect: reader.defect,
  }
}

/** Where the `;` stands, or the end. */
function endOfSegment(text: string, from: number): number {
  const semicolon = text.indexOf(';', from)
  return semicolon === -1 ? text.length : semicolon
}

/** A comment behind the value; one inside a parameter is a defect of its own. */
function withoutComment(text: string): string {
  const open = text.indexOf('(')
  return open === -1 ? text : text.slice(0, open)
}

/** One section of a parameter that RFC 2231 lets be continued: `filename*1*=…`. */
interface Section {
  readonly value: string
  readonly encoded: boolean
}

class ParameterReader {
  defect: string | null = null
  count = 0
  readonly #plain = new Map<string, string>()
  readonly #sections = new Map<string, Map<number, Section>>()

  /** Reads the parameter at `start`; returns where the `;` behind it stands, or the end. */
  read(text: string, start: number): number {
    this.count++
    const end = endOfSegment(text, start)
    const equals = text.indexOf('=', start)
    if (equals === -1 || equals > end) {
      if (text.slice(start, end).trim() !== '') this.defect = 'a parameter without a value'
      return end
    }
    const name = text.slice(start, equals).trim().toLowerCase()
    if (!/^[^\s()<>@,;:\\"/[\]?=]+$/.test(name)) this.defect = 'a parameter with an odd name'
    const valueAt = skipBlanks(text, equals + 1)
    if (text[valueAt] === '"') return this.#quoted(name, text, valueAt + 1)
    const value = text.slice(valueAt, end).trim()
    // Others that RFC 2045 wants quoted stand bare in much mail, and every program reads them.
    if (/[\s()"\\]/.test(value)) this.defect = 'a parameter that needs quotes and has none'
    this.#set(name, value)
    return end
  }

  #quoted(name: string, text: string, start: number): number {
    let value = ''
    let at = start
    while (at < text.length && text[at] !== '"') {
      const escapes = text[at] === '\\' && (text[at + 1] === '"' || text[at + 1] === '\\')
      if (escapes) at++
      const next = nextOf(text, at + 1)
      value += text.slice(at, next)
      at = next
    }
    if (at >= text.length) this.defect = 'quotes that do not end'
    const end = endOfSegment(text, at)
    if (text.slice(at + 1, end).trim() !== '') this.defect = 'something behind the quotes'
    this.#set(name, value)
    return end
  }

  #set(name: string, value: string): void {
    const form = /^([^*]+)\*(?:(\d{1,3})(\*)?)?$/.exec(name)
    if (form === null) {
      if (this.#plain.has(name)) this.defect = `the parameter ${name.slice(0, 40)} twice`
      else this.#plain.set(name, value)
      return
    }
    const [, base, number, star] = form
    const sections = this.#sections.get(base!) ?? new Map<number, Section>()
    this.#sections.set(base!, sections)
    const index = Number(number ?? 0)
    if (sections.has(index)) this.defect = `the parameter ${base!.slice(0, 40)} twice`
    else sections.set(index, { value, encoded: number === undefined || star !== undefined })
  }

  parameters(): Map<string, Parameter> {
    const parameters = new Map<string, Parameter>()
    for (const [name, plain] of this.#plain) parameters.set(name, { plain, extended: null })
    for (const [name, sections] of this.#sections) {
      const extended = this.#joined(sections)
      parameters.set(name, { plain: this.#plain.get(name) ?? null, extended })
    }
    return parameters
  }

  /** The sections from 0 on; the first names the character set of all that are encoded (RFC 2231 §4.1). */
  #joined(sections: ReadonlyMap<number, Section>): string {
    const bytes: Buffer[] = []
    let charset = 'utf-8'
    let index = 0
    for (let section = sections.get(0); section !== undefined; section = sections.get(++index)) {
      const form = index === 0 && section.encoded ? /^([^']*)'[^']*'(.*)$/s.exec(section.value) : null
      if (form?.[1]) charset = form[1]
      const value = form?.[2] ?? section.value
      bytes.push(section.encoded ? percentDecoded(value) : Buffer.from(value))
    }
    if (index < sections.size) this.defect = 'a continued parameter with a gap'
    return decodeText(Buffer.concat(bytes), charset)
  }
}

/** Where the next character stands that means something between quotes. */
function nextOf(text: string, from: number): number {
  for (let at = from; at < text.length; at++) if (text[at] === '"' || text[at] === '\\') return at
  return text.length
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t') at++
  return at
}

function percentDecoded(value: string): Buffer {
  const bytes = Buffer.from(value)
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at] === 0x25 ? hexAt(bytes, at + 1) : -1
    if (code !== -1) at += 2
    bytes[length++] = code === -1 ? bytes[at]! : code
  }
  return bytes.subarray(0, length)
}

/** The octet that two hexadecimal digits stand for, or -1. */
export function hexAt(bytes: Buffer, at: number): number {
  const high = hexDigit(bytes[at])
  const low = hexDigit(bytes[at + 1])
  return high === -1 || low === -1 ? -1 : high * 16 + low
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
