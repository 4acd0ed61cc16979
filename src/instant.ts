/** The second that was last written: making the text of a date costs more than the rest of a line. */
let secondOfLast = Number.NaN
let textOfLast = ''

/** `2026-01-05T08:00:00.000Z`. Most lines fall into the second of the one before. */
export function isoInstant(epochMs: number): string {
  const second = Math.floor(epochMs / 1000)
  if (second !== secondOfLast) {
    textOfLast = new Date(second * 1000).toISOString().slice(0, 20)
    secondOfLast = second
  }
  return `${textOfLast}${String(epochMs - second * 1000).padStart(3, '0')}Z`
}
