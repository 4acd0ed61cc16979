/**
 * What a person reads of an HTML part: its text without tags, comments, scripts and styles. One pass, in time linear
 * in its length and without a tree, so a million open tags are no more work than a million letters. Tags end where
 * a browser ends them: not at a `>` between quotes.
 */
import { decodeEntities } from './html-entities.ts'

export function htmlText(html: string): string {
  const pieces: string[] = []
  for (let at = 0; at < html.length; ) {
    const open = html.indexOf('<', at)
    const end = open === -1 ? html.length : open
    if (end > at) pieces.push(html.slice(at, end))
    if (open === -1) break
    const tag = readTag(html, open)
    if (tag.text !== '') pieces.push(tag.text)
    at = tag.end
  }
  return decodeEntities(pieces.join(''))
}

interface Tag {
  /** What stands for it in the text. */
  readonly text: string
  readonly end: number
}

/** These begin a line of their own; all others stand within a word: `in<b>voice</b>` reads as one. */
const blocks = new Set(
  (
    'address article aside blockquote body br caption center dd div dl dt fieldset figcaption figure footer form h1 h2 ' +
    'h3 h4 h5 h6 head header hr html legend li main nav ol option p pre section select table tbody td textarea tfoot ' +
    'th thead title tr ul'
  ).split(' '),
)

/** What stands in them is not shown, whatever it looks like, up to their own closing tag. */
const hidden = new Set(['script', 'style'])

function readTag(html: string, open: number): Tag {
  const next = html[open + 1] ?? ''
  if (html.startsWith('<!--', open)) return { text: '', end: commentEnd(html, open) }
  if (next === '!' || next === '?') return { text: '', end: behind(html, '>', open + 2) }
  const name = tagName(html, next === '/' ? open + 2 : open + 1)
  if (name === '')
    return next === '/' ? { text: '', end: behind(html, '>', open + 2) } : { text: '<', end: open + 1 }
  const end = tagEnd(html, open + 1)
  if (next !== '/' && hidden.has(name)) return { text: ' ', end: closingTag(html, name, end) }
  return { text: blocks.has(name) ? '\n' : '', end }
}

/** In lower case; empty where no letter follows, which is no tag. */
function tagName(html: string, at: number): string {
  namePattern.lastIndex = at
  return namePattern.exec(html)?.[0].toLowerCase() ?? ''
}

const namePattern = /[a-zA-Z][a-zA-Z0-9]{0,15}/y

/** Behind the `>` that is not between quotes. Quotes mean something only behind a `=`. */
function tagEnd(html: string, from: number): number {
  let at = from
  for (;;) {
    quoteOrEnd.lastIndex = at
    const match = quoteOrEnd.exec(html)
    if (match === null) return html.length
    if (match[0] === '>') return match.index + 1
    const quote = match[0].at(-1)!
    at = behind(html, quote, quoteOrEnd.lastIndex)
  }
}

const quoteOrEnd = />|=[ \t\r\n\f]{0,64}["']/g

/** `<!-->` and `<!--->` are whole comments; one that does not end hides the rest. */
function commentEnd(html: string, open: number): number {
  if (html[open + 4] === '>') return open + 5
  if (html.startsWith('->', open + 4)) return open + 6
  commentClose.lastIndex = open + 4
  return commentClose.exec(html) === null ? html.length : commentClose.lastIndex
}

const commentClose = /--!?>/g

function closingTag(html: string, name: string, from: number): number {
  const close = name === 'script' ? scriptClose : styleClose
  close.lastIndex = from
  const match = close.exec(html)
  return match === null ? html.length : tagEnd(html, match.index + 1)
}

const scriptClose = /<\/script(?=[\s/>])/gi
const styleClose = /<\/style(?=[\s/>])/gi

function behind(html: string, text: string, from: number): number {
  const at = html.indexOf(text, from)
  return at === -1 ? html.length : at + text.length
}
