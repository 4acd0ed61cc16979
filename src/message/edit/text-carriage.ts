/**
 * How a text gets into a part that declares a character set. A set that can hold it keeps it; else the part
 * becomes UTF-8, where its content can be read without a guess. Names and tables are those of the WHATWG: a set
 * that they do not know cannot be written into.
 */
import type { Rewriter } from './body-change.ts'

export interface Carriage {
  encode(text: string): Buffer
  /** What the part's content must be read as to become UTF-8; null where it stays as it is. */
  readonly convertFrom: string | null
  /** The part must declare UTF-8 from now on. */
  readonly becomesUtf8: boolean
  /** What it declares may be wrong: whether its octets are UTF-8 (or ASCII) must be seen first. */
  readonly mustBeUtf8: boolean
}

/** `octets` says that places in the content are looked for octet by octet, so that it must not shift between sets. */
export function carriageOf(
  charset: string | null,
  text: string,
  options: { octets: boolean },
): Carriage | null {
  const isAscii = /^[\x00-\x7f]*$/.test(text)
  if (charset === null || asciiNames.test(charset)) return isAscii ? kept(encodeUtf8) : declared
  const encoding = encodingOf(charset)
  // Of UTF-16 without a byte order readers disagree.
  if (encoding === null || charset === 'utf-16') return null
  if (encoding === 'utf-8') return kept(encodeUtf8)
  const shifts = encoding.startsWith('utf-16') || (encoding === 'iso-2022-jp' && options.octets)
  if (shifts) return converted(encoding)
  if (isAscii) return kept(encodeUtf8)
  const table = tableOf(encoding, charset)
  const fits = table !== null && [...text].every((character) => table.has(character))
  return fits ? kept((more) => encodeBy(table, more)) : converted(encoding)
}

/** Octets of that set, as they come, as UTF-8. Throws `TypeError` where they are not of the set. */
export function convertToUtf8(charset: string): Rewriter {
  const decoder = new TextDecoder(charset, { fatal: true })
  return {
    // Node 20 reads Windows-1252 as Latin-1 unless it is streamed.
    write: (bytes) => Buffer.from(decoder.decode(bytes, { stream: true })),
    end: () => Buffer.from(decoder.decode()),
  }
}

const asciiNames = /^(?:us-ascii|ascii|us|ansi_x3\.4-19\d\d|iso646-us|iso_646\.irv:1991)$/
const encodeUtf8 = (text: string): Buffer => Buffer.from(text)

const kept = (encode: Carriage['encode']): Carriage => ({
  encode,
  convertFrom: null,
  becomesUtf8: false,
  mustBeUtf8: false,
})
const declared: Carriage = { ...kept(encodeUtf8), becomesUtf8: true, mustBeUtf8: true }
const converted = (encoding: string): Carriage => ({
  ...kept(encodeUtf8),
  convertFrom: encoding,
  becomesUtf8: true,
})

function encodingOf(charset: string): string | null {
  try {
    const { encoding } = new TextDecoder(charset)
    return encoding === 'x-user-defined' ? null : encoding
  } catch {
    return null
  }
}

/** The octet of each character, for a set of single octets; null for others. */
function tableOf(encoding: string, charset: string): ReadonlyMap<string, number> | null {
  if (!/^(?:iso-8859-|windows-|koi8-|ibm866|macintosh|x-mac-)/.test(encoding)) return null
  // For the WHATWG, ISO 8859-1 is Windows-1252; what only that has is not written where the other is declared.
  const lowest = /^(?:iso[-_]?8859|latin|l\d)/.test(charset) ? 0xa0 : 0x80
  const decoder = new TextDecoder(encoding)
  const table = new Map<string, number>()
  for (let octet = 0; octet < 0x100; octet++) {
    if (octet >= 0x80 && octet < lowest) continue
    const character = decoder.decode(Uint8Array.of(octet), { stream: true })
    if (character !== '' && !/[\ufffd\u0080-\u009f]/.test(character)) table.set(character, octet)
  }
  return table
}

function encodeBy(table: ReadonlyMap<string, number>, text: string): Buffer {
  return Buffer.from(Array.from(text, (character) => table.get(character) ?? 0x3f))
}
