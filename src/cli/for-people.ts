/** Instants, durations and sizes as people read them; `--json` prints them as they are. */

const minuteMs = 60_000

/** Local time: `2026-01-31T18:05:00`; null stays null. */
export function formatInstant(at: number | null): string | null {
  if (at === null) return null
  const local = new Date(at - new Date(at).getTimezoneOffset() * minuteMs)
  return local.toISOString().slice(0, 19)
}

/** The two largest units: `3d 4h`, `12m 5s`, `0s`. */
export function formatAge(durationMs: number): string {
  const seconds = Math.floor(Math.max(0, durationMs) / 1000)
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')
}

/** `2026-01-31T18:05:00 (in 4m)`, `2026-01-31T18:00:00 (1m ago)`. */
export function formatInstantFrom(at: number | null, now: number): string | null {
  if (at === null) return null
  const distance = at > now ? `in ${formatAge(at - now)}` : `${formatAge(now - at)} ago`
  return `${formatInstant(at)} (${distance})`
}

/** Rounded, in the powers of 1024 that the configuration uses: `512B`, `4.1KB`, `35MB`. */
export function formatBytes(sizeBytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB'] as const
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, sizeBytes)) / 10))
  const amount = sizeBytes / 1024 ** power
  return `${amount < 10 ? Number(amount.toFixed(1)) : Math.round(amount)}${units[power]}`
}
