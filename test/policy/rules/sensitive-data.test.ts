import { describe, expect, it } from 'vitest'
import { compileSensitiveData, masked } from '../../../src/policy/rules/sensitive-data.ts'
import { FoldedText } from '../../../src/policy/rules/words.ts'
import { cpuMsOf } from '../cpu-time.ts'

type Data = Parameters<typeof compileSensitiveData>[0]

const find = (data: Data, text: string) => compileSensitiveData(data)(new FoldedText(text))
const cards = (text: string, fields: Partial<Data> = {}) =>
  find({ type: 'cardNumber', minimumCount: 1, ...fields } as Data, text)
const ibans = (text: string) => find({ type: 'iban', minimumCount: 1 }, text)

describe('a card number is found', () => {
  it.each<[string, string, string]>([
    ['Visa', '4111111111111111', '1111'],
    ['Visa of 13 digits', '4222222222222', '2222'],
    ['Visa of 19 digits', '4000000000000000006', '0006'],
    ['Mastercard', '5555 5555 5555 4444', '4444'],
    ['Mastercard, new range', '2223003122003222', '3222'],
    ['American Express in its groups', '3782 822463 10005', '0005'],
    ['Diners Club', '3056 930902 5904', '5904'],
    ['Discover', '6011-1111-1111-1117', '1117'],
    ['JCB', '3530 1113 3330 0000', '0000'],
    ['UnionPay', '6240008631401148', '1148'],
    ['Maestro', '6759649826438453', '8453'],
    ['with other dashes', '4111\u20131111\u20131111\u20131111', '1111'],
    ['with no-break spaces', '4111\u00a01111\u00a01111\u00a01111', '1111'],
    ['over a line break', '4111 1111\r\n1111 1111', '1111'],
    ['in full-width digits', '４１１１ １１１１ １１１１ １１１１', '1111'],
    ['behind a date', 'on 2026-07-01 4111 1111 1111 1111 was', '1111'],
    ['before another number', '4111 1111 1111 1111 12', '1111'],
    ['in a sentence', 'card 4111-1111-1111-1111, valid', '1111'],
    ['beside Chinese', '卡号4111111111111111是', '1111'],
  ])('%s', (_claim, text, end) => {
    expect(cards(text)).toBe(`************${end}`)
  })
})

describe('no card number', () => {
  it.each([
    ['a wrong check digit', '4111111111111112'],
    ['no known issuer', '9111111111111119'],
    ['too few digits for its issuer', '411111111111'],
    ['digits all equal', '4444444444444444'],
    ['part of a longer number', '41111111111111111'],
    ['part of a word', 'x4111111111111111'],
    ['part of a word behind it', '4111111111111111x'],
    ['the fraction of a number', '0.4111111111111111'],
    ['more than one character between groups', '4111 - 1111 - 1111 - 1111'],
    ['blanks and dashes', '4111-1111 1111-1111'],
    ['single digits', '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1'],
  ])('%s', (_claim, text) => {
    expect(cards(text)).toBeNull()
  })
})

describe('an IBAN is found', () => {
  it.each<[string, string, string]>([
    ['Germany', 'DE89370400440532013000', '3000'],
    ['in groups', 'IBAN: DE89 3704 0044 0532 0130 00.', '3000'],
    ['in lower case', 'gb82 west 1234 5698 7654 32', '5432'],
    ['Norway, the shortest', 'NO93 8601 1117 947', '7947'],
    ['Malta, with letters', 'MT84MALT011000012345MTLCAST001S', '001s'],
    ['before a word', 'DE89 3704 0044 0532 0130 00 is mine', '3000'],
  ])('%s', (_claim, text, end) => {
    expect(ibans(text)).toBe(`************${end}`)
  })
})

describe('no IBAN', () => {
  it.each([
    ['a wrong checksum', 'DE88370400440532013000'],
    ['another length', 'DE893704004405320130'],
    ['longer', 'DE893704004405320130001'],
    ['no country that has them', 'XX89370400440532013000'],
    ['part of a word', 'xDE89370400440532013000'],
    ['dashes', 'DE89-3704-0044-0532-0130-00'],
  ])('%s', (_claim, text) => {
    expect(ibans(text)).toBeNull()
  })
})

describe('a custom pattern', () => {
  const custom = (text: string, fields: Partial<Data> = {}) =>
    find({ type: 'custom', pattern: '\\bK-\\d{6}\\b', minimumCount: 1, ...fields } as Data, text)
  it('is found in any letter case, and told as a number', () => {
    expect(custom('x k-123456')).toBe('1 value')
    expect(custom('K-111111 K-222222', { minimumCount: 2 })).toBe('2 values')
    expect(custom('K-1234567')).toBeNull()
  })
  it.each([0, 1, 100, 127, 128, 129, 255, 256, 257, 1000])('is found behind %d characters', (length) => {
    expect(custom(`${'.'.repeat(length)}K-123456`)).toBe('1 value')
    expect(custom(`${'9'.repeat(length)}K-123456`)).toBe(length === 0 ? '1 value' : null)
  })
  it('counts every value of a long text', () => {
    const text = Array.from(
      { length: 900 },
      (_, index) => `${'x'.repeat(index % 37)} K-${100_000 + index}`,
    ).join(' ')
    expect(custom(text, { minimumCount: 900 })).toBe('900 values')
    expect(custom(text, { minimumCount: 901 })).toBeNull()
  })
  it('matches where there is more than can be counted: a flood hides nothing', () => {
    expect(custom('K-123456 '.repeat(20_000), { minimumCount: 2 })).toBe('more values than can be counted')
  })
})

describe('the minimum count', () => {
  const two = '4111111111111111 and 5555555555554444'
  it('is of different values', () => {
    expect(cards(two, { minimumCount: 2 })).toBe('************1111 and 1 more')
    expect(cards('4111111111111111 and 4111 1111 1111 1111', { minimumCount: 2 })).toBeNull()
    expect(cards(two, { minimumCount: 3 })).toBeNull()
  })
})

describe('keywords', () => {
  const near = (between: number, fields: Partial<Data> = {}) =>
    cards(`Visa${' '.padEnd(between - 1, '.')} 4111111111111111`, {
      keywords: ['visa', 'master card'],
      ...fields,
    })
  it('stand within 300 characters, on either side', () => {
    expect(near(300)).toBe('************1111')
    expect(near(301)).toBeNull()
    expect(cards(`4111111111111111 ${'.'.repeat(298)} visa`, { keywords: ['visa'] })).toBe('************1111')
    expect(cards(`4111111111111111 ${'.'.repeat(299)} visa`, { keywords: ['visa'] })).toBeNull()
  })
  it('are whole words', () => {
    expect(cards('visas 4111111111111111', { keywords: ['visa'] })).toBeNull()
    expect(cards('MASTER\ncard 4111111111111111', { keywords: ['master card'] })).toBe('************1111')
  })
  it('let only those count that have one nearby', () => {
    const text = `visa 4111111111111111 ${'.'.repeat(400)} 5555555555554444 ${'.'.repeat(400)} visa 4222222222222`
    expect(cards(text, { keywords: ['visa'], minimumCount: 2 })).toBe('************1111 and 1 more')
    expect(cards(text, { keywords: ['visa'], minimumCount: 3 })).toBeNull()
  })
})

describe('what is logged', () => {
  it.each([
    ['no number', 'no number'],
    ['a 4111 1111 1111 1111 b', 'a ***************1111 b'],
    ['4111111111111111 DE89370400440532013000', '************1111 ******************3000'],
    ['ﬁ 4111111111111111', '************'],
  ])('%s is %s', (text, shown) => {
    expect(masked(text)).toBe(shown)
  })
})

describe('a hostile text', () => {
  it.each([
    ['digits', '4'.repeat(262_144)],
    ['groups', '4111 '.repeat(52_428)],
    ['single digits', '1 '.repeat(131_072)],
    ['beginnings of IBANs', 'MT84 '.repeat(52_428)],
    ['card numbers without a keyword', '4111111111111111 '.repeat(15_000)],
  ])('of %s costs bounded time', (_claim, text) => {
    const searches = () => {
      cards(text, { keywords: ['visa'], minimumCount: 1000 })
      cards(text, { minimumCount: 1000 })
      ibans(text)
      find({ type: 'custom', pattern: 'm.*z|m|4', minimumCount: 1000 }, text)
    }
    expect(cpuMsOf(searches)).toBeLessThan(2000)
  })
})
