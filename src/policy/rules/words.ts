/**
 * Words of rules, as Exchange understands them: they match as whole words, in any letter case, and `*` is nothing
 * special. The text is read as a person sees it, whatever its language: compatible forms of a letter are that
 * letter (NFKC), white space and line breaks are one blank, what is invisible is not there.
 *
 * A word is whole where no letter, mark or digit adjoins it. Scripts that are written without blanks between words
 * (Han, Kana, Thai …) have no such borders: there a word may stand anywhere.
 */

/** A text that words are looked for in, often: made ready once. */
export class FoldedText {
  readonly folded: string
  #words: readonly Word[] | null = null

  constructor(text: string) {
    this.folded = fold(text)
  }

  /** Its words, from left to right. */
  get words(): readonly Word[] {
    this.#words ??= wordsOf(this.folded)
    return this.#words
  }
}

interface Word {
  readonly start: number
  readonly end: number
}

export interface Occurrence {
  /** As it is configured. */
  readonly word: string
  readonly start: number
  readonly end: number
}

export class WordList {
  /** By how each begins, up to the end of its second word: many may have the first in common. */
  readonly #byBeginning = new Map<string, Entry[]>()
  #inTwoWords = false
  /** Those that begin with something else than a word: `$100`, `*`, Han. */
  readonly #others: Entry[] = []

  constructor(words: readonly string[]) {
    for (const word of words) {
      const folded = fold(word).trim()
      this.#add({ word, folded, endsInWord: isWordBefore(folded, folded.length) })
    }
  }

  /** The first one that is found, as it is configured; null where none is. */
  find(text: FoldedText): string | null {
    return this.#collect(text, 1)[0]?.word ?? null
  }

  findAll(text: FoldedText): Occurrence[] {
    return this.#collect(text, Number.POSITIVE_INFINITY)
  }

  #collect(text: FoldedText, most: number): Occurrence[] {
    const found: Occurrence[] = []
    const { folded } = text
    const words = this.#byBeginning.size > 0 ? text.words : []
    for (let index = 0; index < words.length && found.length < most; index++) {
      const { start, end } = words[index]!
      this.#collectAt(found, { folded, start, end })
      const second = this.#inTwoWords ? words[index + 1] : undefined
      if (second !== undefined) this.#collectAt(found, { folded, start, end: second.end })
    }
    for (const entry of this.#others) {
      for (let at = folded.indexOf(entry.folded); at !== -1 && found.length < most; ) {
        if (standsAt(entry, folded, at)) found.push(occurrence(entry, at))
        at = folded.indexOf(entry.folded, at + 1)
      }
    }
    return found
  }

  #collectAt(found: Occurrence[], { folded, start, end }: Word & { readonly folded: string }): void {
    for (const entry of this.#byBeginning.get(folded.slice(start, end)) ?? [])
      if (standsAt(entry, folded, start)) found.push(occurrence(entry, start))
  }

  #add(entry: Entry): void {
    // Nothing but white space, or invisible: no word, and found everywhere.
    if (entry.folded === '') return
    const [first, second] = wordsOf(entry.folded)
    if (first?.start !== 0) {
      this.#others.push(entry)
      return
    }
    const beginning = entry.folded.slice(0, second?.end ?? first.end)
    const others = this.#byBeginning.get(beginning)
    if (others === undefined) this.#byBeginning.set(beginning, [entry])
    else others.push(entry)
    this.#inTwoWords ||= second !== undefined
  }
}

interface Entry {
  readonly word: string
  readonly folded: string
  readonly endsInWord: boolean
}

/**
 * What NFKC must not turn into letters: trade marks and raised figures, which are no part of the word they stand at,
 * and two Arabic ligatures of whole sentences, of which a text would become 18 times as long.
 */
const apart = /[\u2120\u2122\u00b2\u00b3\u00b9\u2070-\u209f\ufdfa\ufdfb]/g
const invisible = /[\u00ad\u200b\u2060\ufeff]/g
const unusual = /[^\x20-\x7e]| {2}/

function fold(text: string): string {
  if (!unusual.test(text)) return text.toLowerCase()
  return text.replace(apart, ' ').replace(invisible, '').normalize('NFKC').toLowerCase().replace(/\s+/g, ' ')
}

function wordsOf(folded: string): Word[] {
  const words: Word[] = []
  for (let at = 0; at < folded.length; ) {
    const start = at
    for (let width = wordWidthAt(folded, at); width > 0; width = wordWidthAt(folded, at)) at += width
    if (at > start) words.push({ start, end: at })
    else at++
  }
  return words
}

/** Whether there is a letter, mark or digit of a word. */
export function isWordAt(folded: string, at: number): boolean {
  return wordWidthAt(folded, at) > 0
}

/** The same of the character that ends there. */
export function isWordBefore(folded: string, at: number): boolean {
  const code = folded.charCodeAt(at - 1)
  return isWordAt(folded, code >= 0xdc00 && code <= 0xdfff ? at - 2 : at - 1)
}

function wordWidthAt(folded: string, at: number): 0 | 1 | 2 {
  const code = folded.charCodeAt(at)
  // Also beyond either end.
  if (!(code >= 0x30)) return 0
  if (code >= 0xd800 && code <= 0xdfff) return wordCharacter.test(pairAt(folded, at)) ? 2 : 0
  if (kinds[code] === unknownKind) kinds[code] = wordCharacter.test(folded.charAt(at)) ? wordKind : otherKind
  return kinds[code] === wordKind ? 1 : 0
}

/** The character of a surrogate pair; a half of one is no character. */
function pairAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at)!)
}

const spaceless =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}\\p{sc=Tibetan}'
const wordCharacter = new RegExp(`^(?![${spaceless}])[\\p{L}\\p{M}\\p{N}]`, 'u')

/** By UTF-16 code unit, learned as they come: to ask the expression each time would cost more than all the rest. */
const kinds = new Uint8Array(0x10000)
const [unknownKind, wordKind, otherKind] = [0, 1, 2]

function standsAt(entry: Entry, folded: string, at: number): boolean {
  if (!folded.startsWith(entry.folded, at)) return false
  return !entry.endsInWord || !isWordAt(folded, at + entry.folded.length)
}

function occurrence({ word, folded }: Entry, at: number): Occurrence {
  return { word, start: at, end: at + folded.length }
}
