import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { htmlText } from '../../../src/message/content/html-text.ts'

describe('htmlText', () => {
  it.each<[string, string, string]>([
    ['text alone', 'a b', 'a b'],
    ['tags within a word', 'in<b class=x>voi</b><span>ce</span>', 'invoice'],
    ['tags between lines', '<p>a</p><div>b<br/>c', '\na\n\nb\nc'],
    ['cells', '<td>a</td><td>b</td>', '\na\n\nb\n'],
    ['capital letters', '<P>a<SCRIPT>b</SCRIPT>c', '\na c'],
    ['a script', 'a<script src="x">if (1<2) "</p>"</script>b', 'a b'],
    ['a script that holds what looks like its end', 'a<script></scripting></script >b', 'a b'],
    ['a style', '<style>p > a { b: c }</style>d', ' d'],
    ['a style that does not end', 'a<style>b', 'a '],
    ['a comment', 'a<!-- b > c -->d<!-->e<!--->f<!-- --!>g', 'adefg'],
    ['a comment that does not end', 'a<!-- b', 'a'],
    ['a declaration', '<!DOCTYPE html><?xml version="1.0"?>a', 'a'],
    ['a > between quotes', '<a title="b > c" alt=\'d > e\'>f</a>', 'f'],
    ['quotes that are none', '<a b"c>d</a>e', 'de'],
    ['a tag that does not end', 'a<b c="d', 'a'],
    ['a < that begins no tag', '1 < 2 <3 <', '1 < 2 <3 <'],
    ['references', '&lt;b&gt; &amp;amp; &quot;&#233;&#xE9;&eacute;&euro;&#8364;', '<b> &amp; "ééé€€'],
    ['references without a semicolon', 'A&ampB &eacute &#65x &copyright;', 'A&B é Ax ©right;'],
    ['references that hide punctuation', 'a&commat;b&period;c&lowbar;d&Tab;', 'a@b.c_d\t'],
    ['references of Windows', '&#128;&#150;', '€–'],
    [
      'references that stand for nothing',
      '&#0;&#xD800;&#1114112;&unknown;&;',
      '\ufffd\ufffd\ufffd&unknown;&;',
    ],
  ])('gives of %s what a person reads', (_name, html, text) => {
    expect(htmlText(html)).toBe(text)
  })

  it('reads whatever comes', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '/',
      '!',
      '--',
      '"',
      "'",
      '=',
      ' ',
      'a',
      'script',
      'style',
      'p',
      '&',
      '#',
      ';',
      '38',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        expect(htmlText(pieces.join('')).length).toBeLessThanOrEqual(pieces.join('').length)
      }),
      { numRuns: 3000 },
    )
  })
})
