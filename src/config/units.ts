/** Durations (`90s`, `5m`, `4h`, `2d`) and sizes (`35MB`; KB, MB, GB are powers of 1024, as Exchange counts). */

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const bytes = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 } as const

/** Milliseconds, or null where the text is not a duration. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  return match ? Number(match[1]) * milliseconds[match[2] as keyof typeof milliseconds] : null
}

/** Bytes, or null where the text is not a size. A bare number is bytes. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,12})\s?(B|KB|MB|GB)?$/i.exec(text)
  return match ? Number(match[1]) * bytes[(match[2] ?? 'B').toUpperCase() as keyof typeof bytes] : null
}

/** The shortest exact spelling: 90000 is `90s`, 120000 is `2m`. */
export function formatDuration(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (durationMs !== 0 && durationMs % milliseconds[unit] === 0)
      return `${durationMs / milliseconds[unit]}${unit}`
  }
  return `${durationMs}ms`
}

/** The shortest exact spelling: 36700160 is `35MB`. */
export function formatSize(sizeBytes: number): string {
  for (const unit of ['GB', 'MB', 'KB'] as const) {
    if (sizeBytes !== 0 && sizeBytes % bytes[unit] === 0) return `${sizeBytes / bytes[unit]}${unit}`
  }
  return `${sizeBytes}`
}
