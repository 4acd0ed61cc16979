/**
 * Character references in HTML (`&eacute;`, `&#233;`): those of HTML 4's Latin letters, and all that stand for ASCII
 * and for punctuation, because they can hide a word from a rule. Others stay as they are written.
 */
import { westEuropean } from './charset.ts'

export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(reference, (written, decimal, hex, name) => {
    if (name !== undefined) return named.get(name) ?? beginningWithName(written)
    return fromCode(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
  })
}

const reference = /&(?:#(\d{1,20})|#[xX]([0-9a-fA-F]{1,20})|([A-Za-z]{2,8}\d{0,2}));?/g

/** HTML reads 128 to 159 as Windows-1252. */
function fromCode(code: number): string {
  if (code >= 0x80 && code <= 0x9f) return westEuropean(Uint8Array.of(code))
  const none = code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)
  return none ? '\ufffd' : String.fromCodePoint(code)
}

/** The older names need no semicolon, not even where letters follow: `pass&shyword`. */
function beginningWithName(written: string): string {
  for (let end = written.length; end > 2; end--) {
    const character = older.get(written.slice(1, end))
    if (character !== undefined) return character + written.slice(end)
  }
  return written
}

/** U+00A0 to U+00FF in their order. */
const latin =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute ' +
  'micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig ' +
  'Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash ' +
  'Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ' +
  'ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc ' +
  'uuml yacute thorn yuml'

const others: Record<string, string> = {
  Tab: '\t',
  NewLine: '\n',
  excl: '!',
  num: '#',
  dollar: '$',
  percnt: '%',
  apos: "'",
  lpar: '(',
  rpar: ')',
  ast: '*',
  midast: '*',
  plus: '+',
  comma: ',',
  period: '.',
  sol: '/',
  colon: ':',
  semi: ';',
  equals: '=',
  quest: '?',
  commat: '@',
  lsqb: '[',
  lbrack: '[',
  bsol: '\\',
  rsqb: ']',
  rbrack: ']',
  Hat: '^',
  lowbar: '_',
  grave: '`',
  lcub: '{',
  lbrace: '{',
  verbar: '|',
  vert: '|',
  rcub: '}',
  rbrace: '}',
  OElig: 'Œ',
  oelig: 'œ',
  Scaron: 'Š',
  scaron: 'š',
  Yuml: 'Ÿ',
  fnof: 'ƒ',
  circ: 'ˆ',
  tilde: '˜',
  ensp: '\u2002',
  emsp: '\u2003',
  thinsp: '\u2009',
  zwnj: '\u200c',
  zwj: '\u200d',
  lrm: '\u200e',
  rlm: '\u200f',
  hyphen: '\u2010',
  dash: '\u2010',
  ndash: '–',
  mdash: '—',
  lsquo: '‘',
  rsquo: '’',
  sbquo: '‚',
  ldquo: '“',
  rdquo: '”',
  bdquo: '„',
  dagger: '†',
  bull: '•',
  hellip: '…',
  permil: '‰',
  lsaquo: '‹',
  rsaquo: '›',
  euro: '€',
  trade: '™',
  minus: '−',
}

const older = new Map<string, string>([
  ...latin.split(' ').map((name, index) => [name, String.fromCodePoint(0xa0 + index)] as const),
  ...Object.entries({ amp: '&', AMP: '&', lt: '<', LT: '<', gt: '>', GT: '>', quot: '"', QUOT: '"' }),
])

const named = new Map<string, string>([...older, ...Object.entries(others)])
