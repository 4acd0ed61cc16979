/**
 * Card numbers and IBANs in text, found by their form and their check digits, and values of an administrator's own
 * pattern; where keywords are given, only those that have one nearby count. The same in every language: nothing
 * but the keywords is one. Time is linear in the text.
 *
 * What is found never leaves this module: it is told masked, or as a number of values.
 */
import type { Conditions } from '../../config/policy-schema.ts'
import { compilePattern, type Find } from './pattern.ts'
import { FoldedText, isWordAt, isWordBefore, type Occurrence, WordList } from './words.ts'

type SensitiveData = NonNullable<Conditions['sensitiveData']>[number]

/** Characters between a find and its keyword, as in Exchange. */
const nearby = 300

interface Value extends Find {
  /** The same for two spellings of one value. */
  readonly value: string
}

interface Values {
  readonly values: Iterable<Value>
  readonly complete: boolean
}

/** What was found, masked; null where there are fewer different values than asked for. */
export function compileSensitiveData(data: SensitiveData): (text: FoldedText) => string | null {
  const find = finderOf(data)
  const keywords = data.keywords === undefined ? null : new WordList(data.keywords)
  return (text) => {
    const near = keywords === null ? null : sortedOccurrences(keywords, text)
    if (near?.length === 0) return null
    const { values, complete } = find(text.folded)
    const different = new Set<string>()
    for (const { value } of near === null ? values : withKeyword(values, near)) {
      different.add(value)
      if (different.size >= data.minimumCount) return told(data, different)
    }
    // A text made of matches must not hide the one that counts behind them.
    return complete ? null : 'more values than can be counted'
  }
}

/** The text with every card number and IBAN in it masked: for what is logged of a match. */
export function masked(text: string): string {
  const { folded } = new FoldedText(text)
  const secrets = [...cardNumbers(folded), ...ibans(folded)]
  // Folding may have moved the positions: then nothing is shown.
  if (secrets.length > 0 && folded.length !== text.length) return mask('')
  let shown = text
  for (const { start, end } of secrets)
    shown =
      shown.slice(0, start) + mask(shown.slice(start, end)).padStart(end - start, '*') + shown.slice(end)
  return shown
}

function finderOf(data: SensitiveData): (folded: string) => Values {
  if (data.type !== 'custom') {
    const find = data.type === 'iban' ? ibans : cardNumbers
    return (folded) => ({ values: find(folded), complete: true })
  }
  const pattern = compilePattern(data.pattern)
  if ('error' in pattern) throw new Error(`Cannot use the pattern ${data.pattern}: ${pattern.error}`)
  return (folded) => {
    const { finds, complete } = pattern.findAll(folded)
    return { values: finds.map((find) => ({ ...find, value: folded.slice(find.start, find.end) })), complete }
  }
}

function told(data: SensitiveData, values: ReadonlySet<string>): string {
  const { size } = values
  if (data.type === 'custom') return size === 1 ? '1 value' : `${size} values`
  const [first = ''] = values
  return size === 1 ? mask(first) : `${mask(first)} and ${size - 1} more`
}

/** `************1111` */
function mask(value: string): string {
  return `************${value.slice(-4)}`
}

function sortedOccurrences(words: WordList, text: FoldedText): Occurrence[] {
  return words.findAll(text).sort((a, b) => a.start - b.start)
}

/** Both come in the order of the text, so that each keyword is passed once. */
function* withKeyword(values: Iterable<Value>, keywords: readonly Occurrence[]): Iterable<Value> {
  let next = 0
  for (const value of values) {
    while (next < keywords.length && keywords[next]!.end + nearby < value.start) next++
    const keyword = keywords[next]
    if (keyword !== undefined && keyword.start <= value.end + nearby) yield value
  }
}

/** Groups of digits with one blank or dash between them. */
const digitGroups = /\d+(?:[ \-\u2010-\u2015\u2212]\d+)*/g

/** 13 to 19 digits (ISO/IEC 7812), together or in groups, of an issuer that is known, with Luhn's check digit. */
function* cardNumbers(text: string): Iterable<Value> {
  for (const { 0: run, index } of text.matchAll(digitGroups)) {
    if (run.length < 13) continue
    const groups = Array.from(run.matchAll(/\d+/g), (group) => ({ digits: group[0], at: group.index }))
    const first = adjoins(text, index) ? 1 : 0
    const last = isWordAt(text, index + run.length) ? groups.length - 1 : groups.length
    for (let from = first; from < last; ) {
      const to = endOfCard(run, groups.slice(from, Math.min(last, from + mostGroups)))
      if (to === null) from++
      else {
        const card = groups.slice(from, from + to)
        const start = index + card[0]!.at
        const end = index + card.at(-1)!.at + card.at(-1)!.digits.length
        yield { start, end, value: card.map(({ digits }) => digits).join('') }
        from += to
      }
    }
  }
}

/** A part of a longer token, or the fraction of a number, is no card number. */
function adjoins(text: string, at: number): boolean {
  return isWordBefore(text, at) || /^\d[.,]$/.test(text.slice(Math.max(0, at - 2), at))
}

interface Group {
  readonly digits: string
  /** In its run. */
  readonly at: number
}

/** Cards are printed in groups of four to six digits; eight leave room for other habits. */
const groupLengths = { least: 3, most: 8 }
const mostGroups = 6

/** How many of the groups are a card number, the longest that they begin with; null where they begin with none. */
function endOfCard(run: string, groups: readonly Group[]): number | null {
  let number = ''
  let found: number | null = null
  const separator = groups.length > 1 ? run.charAt(groups[1]!.at - 1) : ''
  for (const [index, { digits, at }] of groups.entries()) {
    if (index > 0 && run.charAt(at - 1) !== separator) break
    number += digits
    if (number.length > 19) break
    if (index > 0 && digits.length > groupLengths.most) break
    if (number.length >= 13 && isCardNumber(number)) found = index + 1
    if (digits.length < groupLengths.least || digits.length > groupLengths.most) break
  }
  return found
}

/** Issuers by the first digits, `from` to `to`, and the lengths of their numbers. */
const issuers: readonly (readonly [from: string, to: string, lengths: readonly number[]])[] = [
  ['4', '4', [13, 16, 19]], // Visa
  ['51', '55', [16]], // Mastercard
  ['2221', '2720', [16]],
  ['34', '34', [15]], // American Express
  ['37', '37', [15]],
  ['300', '305', [14, 16, 19]], // Diners Club
  ['3095', '3095', [14, 16, 19]],
  ['36', '36', [14, 16, 19]],
  ['38', '39', [14, 16, 19]],
  ['3528', '3589', [16, 17, 18, 19]], // JCB
  ['6011', '6011', [16, 17, 18, 19]], // Discover
  ['644', '649', [16, 17, 18, 19]],
  ['65', '65', [16, 17, 18, 19]],
  ['62', '62', [16, 17, 18, 19]], // UnionPay
  ['81', '82', [16, 17, 18, 19]], // UnionPay, RuPay
  ['60', '60', [16]], // RuPay
  ['508', '508', [16]],
  ['50', '50', [13, 14, 15, 16, 17, 18, 19]], // Maestro
  ['56', '58', [13, 14, 15, 16, 17, 18, 19]],
  ['6304', '6304', [13, 14, 15, 16, 17, 18, 19]],
  ['67', '67', [13, 14, 15, 16, 17, 18, 19]],
  ['2200', '2204', [16, 17, 18, 19]], // Mir
]

function isCardNumber(digits: string): boolean {
  if (!hasLuhnDigit(digits) || /^(\d)\1*$/.test(digits)) return false
  return issuers.some(([from, to, lengths]) => {
    const prefix = digits.slice(0, from.length)
    return from <= prefix && prefix <= to && lengths.includes(digits.length)
  })
}

/** ISO/IEC 7812-1, annex B. */
function hasLuhnDigit(digits: string): boolean {
  let sum = 0
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48
    const doubled = index % 2 === 0 ? digit : digit * 2
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** ISO 13616: country, two check digits, and as many characters as the country's numbers have; blanks do not count. */
function* ibans(text: string): Iterable<Value> {
  for (const { 0: head, index } of text.matchAll(/[a-z]{2}\d{2}/g)) {
    const length = ibanLengths.get(head.slice(0, 2))
    if (length === undefined || isWordBefore(text, index)) continue
    const { value, end } = alphanumerics(text, index, length)
    if (value.length < length || isWordAt(text, end) || !hasIbanChecksum(value)) continue
    yield { start: index, end, value }
  }
}

/** As many letters and digits as asked for, with at most one blank between two of them. */
function alphanumerics(text: string, start: number, length: number): { value: string; end: number } {
  let value = ''
  let end = start
  while (value.length < length) {
    if (value !== '' && text[end] === ' ') end++
    const character = text.charAt(end)
    if (!/[a-z0-9]/.test(character)) break
    value += character
    end++
  }
  return { value, end }
}

/** ISO 7064 MOD 97-10, country and check digits last. */
function hasIbanChecksum(iban: string): boolean {
  let remainder = 0
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(character, 36)
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
  }
  return remainder === 1
}

/** The registry of ISO 13616. */
const ibanLengths: ReadonlyMap<string, number> = new Map(
  (
    'ad24 ae23 al28 at20 az28 ba20 be16 bg22 bh22 bi27 br29 by28 ch21 cr22 cy28 cz24 de22 dj27 dk18 do28 ee20 eg29 ' +
    'es24 fi18 fk18 fo18 fr27 gb22 ge22 gi23 gl18 gr27 gt28 hn28 hr21 hu28 ie22 il23 iq23 is26 it27 jo30 kw30 kz20 ' +
    'lb28 lc32 li21 lt20 lu20 lv21 ly25 mc27 md24 me22 mk19 mn20 mr27 mt31 mu30 ni28 nl18 no15 om23 pk24 pl28 ps29 ' +
    'pt25 qa29 ro24 rs22 ru33 sa24 sc31 sd18 se24 si19 sk24 sm27 so23 st25 sv28 tl23 tn24 tr26 ua29 va22 vg24 xk20 ye30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)
