/** How a disclaimer reads in a text part and in an HTML part: line breaks, quoting, and what separates it from the rest. */

export interface Surroundings {
  readonly position: 'append' | 'prepend'
  /** The part has no content. */
  readonly isEmpty: boolean
  /** Its content ends with a line break. */
  readonly endsLine: boolean
}

/** One blank line between the disclaimer and the text. */
export function plainInsertion(text: string, { position, isEmpty, endsLine }: Surroundings): string {
  if (isEmpty) return `${text}\r\n`
  if (position === 'prepend') return `${text}\r\n\r\n`
  return endsLine ? `\r\n${text}\r\n` : `\r\n\r\n${text}`
}

/** Lines that end with CRLF, without control characters and line breaks at the end. */
export function plainText(text: string, { flowed }: { flowed: boolean }): string {
  const lines = text
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '')
    .trimEnd()
    .split(/\r\n|\r|\n/)
  return (flowed ? lines.map(stuffed) : lines).join('\r\n')
}

/**
 * ASCII, so that any character set can hold it and no part has to change for it: what is not ASCII becomes character
 * references. Text is escaped; HTML is the administrator's, as it is.
 */
export function htmlText({ text, html }: { text: string; html: string | null }): string {
  const written =
    html === null
      ? `<div>${plainText(escapeHtml(text), { flowed: false }).replaceAll('\r\n', '<br>\r\n')}</div>`
      : plainText(html, { flowed: false })
  const ascii = written.replace(/[^\x00-\x7f]/gu, (character) => `&#${character.codePointAt(0)};`)
  return `\r\n${ascii}\r\n`
}

/** In format=flowed a blank at the end of a line joins it to the next, and one at its beginning is taken off (RFC 3676 §4). */
function stuffed(line: string): string {
  const fixed = line.trimEnd()
  return /^(?: |>|From )/.test(fixed) ? ` ${fixed}` : fixed
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
