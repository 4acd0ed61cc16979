import { describe, expect, it } from 'vitest'
import { FoldedText, WordList } from '../../../src/policy/rules/words.ts'
import { cpuMsOf } from '../cpu-time.ts'

const find = (words: readonly string[], text: string) => new WordList(words).find(new FoldedText(text))

describe('a word is found', () => {
  it.each<[string, string, string]>([
    ['alone', 'beta', 'beta'],
    ['in any letter case', 'BeTa', 'the bEtA'],
    ['beside punctuation', 'beta', '(beta)'],
    ['beside an underscore', 'beta', 'report_beta_2.txt'],
    ['beside symbols and raised figures', 'beta', '€beta™, beta²'],
    ['as a phrase', 'free offer', 'a Free  \t\r\n offer!'],
    ['as a phrase of three', 'a free offer', 'is a free offer'],
    ['as a phrase whose first word comes twice', 'free offer', 'free free offer'],
    ['with punctuation within', 'a.b-c', 'see a.b-c.'],
    ['with an apostrophe', "don't", "I don't know"],
    ['that begins with a symbol', '$100', 'costs $100.'],
    ['that is a symbol', '***', 'x***y'],
    ['that ends with a symbol', 'c++', 'in C++17'],
    ['with blanks around it', ' beta ', 'beta'],
    ['of digits', '4711', 'No. 4711'],
    ['with an umlaut', 'ÜBER', 'über'],
    ['composed in the text alone', 'cafe\u0301', 'café'],
    ['in full-width letters', 'beta', 'ｂｅｔａ'],
    ['in mathematical letters', 'beta', '\u{1d41b}\u{1d41e}\u{1d42d}\u{1d41a}'],
    ['with soft hyphens and zero-width blanks', 'beta', 'be\u00adt\u200ba'],
    ['Greek', 'λόγος', 'Ὁ λόγος'],
    ['Cyrillic', 'секрет', 'Секрет.'],
    ['Arabic', 'سري', 'ملف سري'],
    ['Hindi, marks included', 'गुप्त', 'यह गुप्त है'],
    ['Korean', '비밀', '비밀 문서'],
    ['Chinese, which has no blanks', '机密', '这是机密文件'],
    ['Japanese', '秘密', 'これは秘密です'],
    ['Thai', 'ลับ', 'เอกสารลับมาก'],
    ['beside Chinese', 'beta', '这是beta文件'],
    ['of astral letters', '\u{10428}', '\u{10400}'],
  ])('%s', (_claim, word, text) => {
    expect(find(['other', word], text)).toBe(word)
  })
})

describe('a word is not found', () => {
  it.each<[string, string, string]>([
    ['within a word', 'beta', 'alphabeta'],
    ['at the beginning of a word', 'beta', 'betas'],
    ['before a digit', 'beta', 'beta2'],
    ['before a combining mark', 'cafe', 'cafe\u0301'],
    ['before an astral letter', 'beta', 'beta\u{10428}'],
    ['behind an astral letter', 'beta', '\u{10428}beta'],
    ['as a phrase that ends within a word', 'free offer', 'free offers'],
    ['as a phrase with another word between', 'free offer', 'free big offer'],
    ['by a star', 'be*', 'beta'],
    ['by a dot', 'b.ta', 'beta'],
    ['that is nothing but blanks', '  ', 'a  b'],
    ['that is nothing to be seen', '\u200b', 'a\u200bb'],
    ['in nothing', 'beta', ''],
    ['that ends in an astral letter, within a word', 'x\u{10428}', 'x\u{10428}y'],
  ])('%s', (_claim, word, text) => {
    expect(find([word], text)).toBeNull()
  })
})

describe('all that are found', () => {
  it('have places in the folded text', () => {
    const text = new FoldedText('Beta  *beta free offer')
    expect(new WordList(['BETA', '*beta', 'free offer', 'free']).findAll(text)).toEqual([
      { word: 'BETA', start: 0, end: 4 },
      { word: 'BETA', start: 6, end: 10 },
      { word: 'free', start: 11, end: 15 },
      { word: 'free offer', start: 11, end: 21 },
      { word: '*beta', start: 5, end: 10 },
    ])
  })
})

describe('a hostile text', () => {
  it.each<[string, string]>([
    ['of one letter', 'a'.repeat(262_144)],
    ['of words', 'a '.repeat(131_072)],
    ['of stars', '*'.repeat(262_144)],
    ['that grows when it is folded', '\ufdfa'.repeat(262_144)],
    ['of emoji', '😀'.repeat(131_072)],
  ])('%s costs bounded time', (_claim, text) => {
    const words = new WordList([
      'b',
      '*b',
      'a b',
      ...Array.from({ length: 1000 }, (_, index) => `a b${index}`),
    ])
    expect(cpuMsOf(() => words.findAll(new FoldedText(text)))).toBeLessThan(1000)
  })
})
