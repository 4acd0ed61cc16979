import { describe, expect, it } from 'vitest'
import { decodeText } from '../../../src/message/content/charset.ts'

describe('decodeText', () => {
  it.each<[string | null, string, string]>([
    [null, '47c3bc', 'Gü'],
    [null, '47fc', 'Gü'],
    ['us-ascii', '47c3bc', 'Gü'],
    ['utf-8', '47fc', 'Gü'],
    ['iso-8859-1', '9347fc94', '“Gü”'],
    ['Windows-1252', '809981', '€™\u0081'],
    ['latin2', 'a3', 'Ł'],
    ['koi8-r', 'c4c1', 'да'],
    ['shift_jis', '93fa967b', '日本'],
    ['gb18030', 'd6d0', '中'],
    ['utf-16le', '3d00', '='],
    ['replacement', '41', 'A'],
    ['no such set', '47c3bc', 'Gü'],
    ['', '41', 'A'],
  ])('of %s, %s is %s', (charset, hex, text) => {
    expect(decodeText(Buffer.from(hex, 'hex'), charset)).toBe(text)
  })
})
