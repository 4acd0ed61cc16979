/**
 * Instants as text. Most lines and messages fall into the second of the one before, and making the text of a date costs
 * more than the rest of a line: each second is written once.
 */

/** `2026-01-05T08:00:00.000Z`. */
export function isoInstant(epochMs: number): string {
  return `${isoSecond(epochMs)}${String(epochMs - Math.floor(epochMs / 1000) * 1000).padStart(3, '0')}Z`
}

const isoSecond = oncePerSecond((date) => date.toISOString().slice(0, 20))

/** What `write` says of the second that an instant falls into. */
export function oncePerSecond(write: (date: Date) => string): (epochMs: number) => string {
  let lastSecond = Number.NaN
  let text = ''
  return (epochMs) => {
    const second = Math.floor(epochMs / 1000)
    if (second !== lastSecond) {
      text = write(new Date(second * 1000))
      lastSecond = second
    }
    return text
  }
}
