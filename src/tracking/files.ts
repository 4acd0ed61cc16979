/**
 * The files of the tracking history, by their names alone: `MSGTRK2026010508-1.LOG` holds events of the hour that began
 * at 8:00 UTC on 5 January 2026. A file grows to Exchange's 10 MB; the next of the same hour has the next number.
 */

export interface TrackingFile {
  readonly name: string
  /** When its hour began, epoch ms. */
  readonly hourAt: number
  readonly number: number
}

export const hourMs = 3_600_000
export const maxFileBytes = 10 * 1024 ** 2

export const hourOf = (at: number): number => Math.floor(at / hourMs) * hourMs

export function fileName(hourAt: number, number: number): string {
  return `MSGTRK${new Date(hourAt).toISOString().slice(0, 13).replace(/\D/g, '')}-${number}.LOG`
}

/** Null for what is no file of ours. */
export function parseFileName(name: string): TrackingFile | null {
  const match = /^MSGTRK(\d{4})(\d\d)(\d\d)(\d\d)-(\d{1,9})\.LOG$/.exec(name)
  if (match === null) return null
  const [year, month, day, hour, number] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  return { name, hourAt: Date.UTC(year, month - 1, day, hour), number }
}

/** Sorts the oldest first. */
export function byAge(a: TrackingFile, b: TrackingFile): number {
  return a.hourAt - b.hourAt || a.number - b.number
}

/** The clock may have been set back a little while a file was written. */
const clockSlackMs = 5 * 60_000

/** Whether the file may hold events of that time. */
export function mayHold(file: TrackingFile, { from, until }: { from?: number; until?: number }): boolean {
  return (
    (from === undefined || file.hourAt + hourMs + clockSlackMs > from) &&
    (until === undefined || file.hourAt - clockSlackMs <= until)
  )
}

export interface Keeping {
  readonly keepMs: number
  /** Of all files together. */
  readonly maxBytes: number
}

/** Which files are to be removed: those whose last hour is past keeping, then the oldest until the rest fits. */
export function expendable<File extends TrackingFile & { readonly sizeBytes: number }>(
  files: readonly File[],
  { keepMs, maxBytes, now }: Keeping & { readonly now: number },
): File[] {
  const oldestFirst = [...files].sort(byAge)
  let bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  return oldestFirst.filter((file) => {
    if (file.hourAt + hourMs > now - keepMs && bytes <= maxBytes) return false
    bytes -= file.sizeBytes
    return true
  })
}
