/**
 * Encoded words (RFC 2047) in header values: libmime reads them, for it knows what mail programs really write; they
 * are written here, for libmime cuts characters beyond its list of planes in two. What comes out of either is one line.
 */
import libmime from 'libmime'

/**
 * libmime's time is linear in the text, at worst 15 µs a word: a quarter of a megabyte of words in unknown character
 * sets costs 400 ms. Nobody reads this many words, so what comes after them stays as it is.
 */
const mostWords = 2000

/** The longest encoded word is 75 characters (RFC 2047 §2), of which `=?UTF-8?Q?` and `?=` are twelve. */
const longestPayload = 63
/** Words and gaps longer than this are encoded, as an encoded word can be folded and they cannot. */
const longestPlain = 400

/** Words that cannot be decoded stay as they are. Line breaks and NUL, hidden or not, become spaces: nobody injects a line. */
export function decodeWords(value: string): string {
  return oneLine(revealWords(oneLine(value)))
}

/** As `decodeWords`, with the line breaks and NULs that were hidden in words: for those who look for them. */
export function revealWords(value: string): string {
  if (!value.includes('=?')) return value
  const end = offsetOfWord(value, mostWords)
  return libmime.decodeWords(value.slice(0, end)) + value.slice(end)
}

/** The text with each CR, LF and NUL made a space, CRLF one. */
export function oneLine(text: string): string {
  return text.replace(/\r\n|[\r\n\0]/g, ' ')
}

/**
 * ASCII that reads as the text: words that are not ASCII become encoded words, neighbours together, as white space
 * between encoded words is not shown. `phrases` is for fields of addresses: in them a quoted string holds no
 * encoded words (RFC 2047 §5), so it gives up its quotes.
 */
export function encodeWords(text: string, options: { phrases: boolean } = { phrases: false }): string {
  const plain = options.phrases ? unquoteForeign(text) : text
  let written = ''
  let run = ''
  for (const [, gap = '', word = ''] of plain.matchAll(/([ \t]*)([^ \t]*)/g)) {
    const isForeign = !isPlain(word) || gap.length > longestPlain
    if (isForeign && run !== '') {
      run += gap + word
      continue
    }
    if (run !== '') written += encodeRun(run)
    run = isForeign ? gap.slice(1) + word : ''
    written += isForeign ? gap.slice(0, 1) : gap + word
  }
  return run === '' ? written : written + encodeRun(run)
}

/** All of the text as encoded words, one space between them. */
export function encodeRun(text: string): string {
  const characters = [...text.replaceAll(quotedBlank, ' ')]
  const foreign = characters.filter((character) => !isSafe(character)).length
  // Q can be read by people who see the source, where most of the text stands for itself.
  const encoding = foreign * 2 <= characters.length ? 'Q' : 'B'
  const words: string[] = []
  let payload = ''
  let taken = ''
  // A word holds whole characters (RFC 2047 §5): readers decode each for itself.
  for (const character of characters) {
    const longer = encoding === 'Q' ? payload + encodeQ(character) : encodeB(taken + character)
    if (longer.length > longestPayload) {
      words.push(payload)
      taken = character
      payload = encoding === 'Q' ? encodeQ(character) : encodeB(character)
    } else {
      taken += character
      payload = longer
    }
  }
  words.push(payload)
  return words.map((word) => `=?UTF-8?${encoding}?${word}?=`).join(' ')
}

const isPlain = (word: string): boolean => /^[\x21-\x7e]*$/.test(word) && word.length <= longestPlain

/** What may stand for itself even in a phrase (RFC 2047 §5 (3)). */
const isSafe = (character: string): boolean => /^[A-Za-z0-9!*+\-/ ]$/.test(character)

const encodeB = (text: string): string => Buffer.from(text).toString('base64')

function encodeQ(character: string): string {
  if (isSafe(character)) return character === ' ' ? '_' : character
  const octets = Buffer.from(character).toString('hex').toUpperCase()
  return octets.replace(/../g, '=$&')
}

/** Stands for a blank that was in quotes, so that what was quoted is one word until it is encoded. */
const quotedBlank = '\ue000'

/** A quote that is never closed lasts to the end, which also keeps the search linear. */
function unquoteForeign(text: string): string {
  return text.replace(/"((?:[^"\\]|\\.)*)(?:"|\\?$)/gs, (quoted, inside: string) =>
    /[^\x00-\x7e]/.test(inside) ? inside.replace(/\\(.)/gs, '$1').replace(/[ \t]/g, quotedBlank) : quoted,
  )
}

/** Where the word after `count` of them begins; the end where there are no more. */
function offsetOfWord(text: string, count: number): number {
  let at = -2
  for (let seen = 0; seen <= count; seen++) {
    at = text.indexOf('=?', at + 2)
    if (at === -1) return text.length
  }
  return at
}
