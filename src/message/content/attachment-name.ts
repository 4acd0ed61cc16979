/**
 * The name of a file as a person, and Windows, would take it: without a path, without what does not show, and
 * without the dots and blanks at its end, which Windows drops: `invoice.exe. ` is run as invoice.exe.
 */

/** Windows has no longer names. The end is kept: it says what opens the file. */
const longestName = 255

/** Null where nothing is left. */
export function seenName(name: string): string | null {
  const base = name.slice(lastSeparator(name) + 1)
  const visible = base.replace(/[\u0000-\u001f\u007f]/g, '')
  const seen = visible.slice(0, trimmedLength(visible)).trimStart().slice(-longestName)
  return seen === '' ? null : seen
}

/** In lower case, without the dot. */
export function extensionOf(name: string): string | null {
  const dot = name.lastIndexOf('.')
  return dot === -1 || dot === name.length - 1 ? null : name.slice(dot + 1).toLowerCase()
}

function lastSeparator(name: string): number {
  return Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\'))
}

/** A loop, because a pattern that is anchored at the end takes quadratic time on a name made of dots. */
function trimmedLength(name: string): number {
  let length = name.length
  while (length > 0 && '. \u00a0'.includes(name[length - 1]!)) length--
  return length
}
