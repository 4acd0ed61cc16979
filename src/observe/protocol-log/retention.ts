/** The files of a protocol log: their names, as Exchange has named them since 2016, and which of them have had their time. */
import type { Direction } from './record.ts'

export interface StoredFile {
  readonly name: string
  readonly sizeBytes: number
}

export interface RetentionOptions {
  readonly now: number
  readonly maxAgeMs: number
  /** Of all of them together. */
  readonly maxBytes: number
}

/** `2026112123`: an hour in UTC, as it stands in names. */
export const hourOf = (at: number): string => new Date(at).toISOString().slice(0, 13).replace(/\D/g, '')

/** `SEND2026112123-1.LOG`. */
export function fileName(direction: Direction, hour: string, instance: number): string {
  return `${prefixes[direction]}${hour}-${instance}.LOG`
}

/** The number after the highest of that hour; 1 for its first file. */
export function nextInstance(direction: Direction, hour: string, names: readonly string[]): number {
  const taken = names.map((name) => parseFileName(direction, name)).filter((file) => file?.hour === hour)
  return 1 + Math.max(0, ...taken.map((file) => file!.instance))
}

/** What to remove: what is too old, then the oldest as long as there is too much. Other files are not ours. */
export function outdated(
  direction: Direction,
  files: readonly StoredFile[],
  { now, maxAgeMs, maxBytes }: RetentionOptions,
): string[] {
  const newestFirst = files
    .map((file) => ({ ...file, ...parseFileName(direction, file.name) }))
    .filter((file): file is StoredFile & ParsedName => file.hour !== undefined)
    .sort((a, b) => b.hour.localeCompare(a.hour) || b.instance! - a.instance!)
  const oldest = hourOf(now - maxAgeMs)
  let bytes = 0
  return newestFirst
    .filter(({ hour, sizeBytes }) => {
      bytes += sizeBytes
      return hour < oldest || bytes > maxBytes
    })
    .map(({ name }) => name)
}

interface ParsedName {
  readonly hour: string
  readonly instance: number
}

function parseFileName(direction: Direction, name: string): ParsedName | null {
  const match = /^([A-Z]+)(\d{10})-(\d{1,9})\.LOG$/.exec(name)
  if (match === null || match[1] !== prefixes[direction]) return null
  return { hour: match[2]!, instance: Number(match[3]) }
}

const prefixes = { receive: 'RECV', send: 'SEND' } as const
