/**
 * The values that a configuration is made of: durations, sizes, names, addresses, networks, secrets. Each says in its
 * message what would be right; text becomes what the relay works with (milliseconds, bytes, canonical names).
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { canonicalDomain, parseAddress } from '../address.ts'
import { parseAddressSpace } from '../route/address-space.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs
export const MB = 1024 ** 2

/** Which numbers of the parsed configuration are durations or sizes, for those who write them as text again. */
export const units = z.registry<{ unit: 'duration' | 'size' }>()

/** A text that `parse` turns into a value, or null: then `message` says what would be right. */
export function text<T>(parse: (text: string) => T | null, message: string) {
  return z.string({ error: message }).transform((value, context) => {
    const parsed = parse(value)
    if (parsed !== null) return parsed
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

/** One line: it stands in logs and in fields of protocols. */
export const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]*$/u, 'must be one line of text')

export function duration(minMs = 0, maxMs = 90 * dayMs) {
  const message = `must be a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 90s, 5m, 4h or 2d`
  return text((value) => within(parseDuration(value), minMs, maxMs), message).register(units, {
    unit: 'duration',
  })
}

export function size(minBytes = 1, maxBytes = 2 * 1024 * MB) {
  const message = `must be a size from ${formatSize(minBytes)} to ${formatSize(maxBytes)}, such as 256KB or 35MB`
  return z
    .union([z.string(), z.number()], { error: message })
    .transform((value, context) => {
      const parsed = within(parseSize(String(value)), minBytes, maxBytes)
      if (parsed !== null) return parsed
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
    .register(units, { unit: 'size' })
}

function within(value: number | null, min: number, max: number): number | null {
  return value !== null && value >= min && value <= max ? value : null
}

export const count = (min: number, max: number) => z.int().min(min).max(max)
export const port = count(0, 65535)

export const domain = text(canonicalDomain, 'must be a domain name such as example.com')

export const address = text((value) => {
  const parsed = parseAddress(value)
  return 'error' in parsed ? null : parsed.address
}, 'must be a mail address such as user@example.com')

/** Exchange writes IP addresses in brackets; they are kept without. */
export const smartHost = text((value) => {
  const host = value.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1')
  return isIP(host) ? host : hostName(host)
}, 'must be a host name or an IP address, without a port')

export const certificateName = text(
  (value) => (isIP(value) ? value : hostName(value)),
  'must be the host name or IP address that the certificate is made for',
)

/** Null for what looks like an IP address but is none: no host name ends in digits alone. */
function hostName(name: string): string | null {
  return /(^|\.)\d+$/.test(name) ? null : canonicalDomain(name)
}

export const addressSpace = z.string().superRefine((value, context) => {
  const space = parseAddressSpace(value)
  if ('error' in space) context.addIssue({ code: 'custom', message: space.error })
})

export const ipAddress = z.union([z.ipv4(), z.ipv6()], {
  error: 'must be an IP address such as 127.0.0.1 or ::1',
})

export const network = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], {
  error: 'must be a network such as 10.0.0.0/8, or an IP address',
})

/** A secret is never written into the configuration itself, only where to find it. */
export const secret = z.union(
  [z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })],
  {
    error: 'must be { env: NAME } or { file: PATH }: secrets are not written into the configuration',
  },
)

export const certificateFiles = z.strictObject({
  cert: z.string().min(1).describe('PEM file with the certificate and its chain'),
  key: z.string().min(1).describe('PEM file with the private key'),
})

const connectorIdForm =
  'must be a positive number, or a word of letters, digits, dot, dash and underscore (but not unreachable)'

export const connectorId = z
  .union(
    [
      z
        .int()
        .min(1, 'must be 1 or more: 0 is no id, it means "no connector"')
        .max(2 ** 31),
      z
        .string()
        // Digits alone are the number, so that "7" and 7 are one id and "007" is none.
        .regex(/^(?=[A-Za-z0-9][A-Za-z0-9._-]{0,63}$)(?:[1-9]\d*|.*[^\d].*)$/, connectorIdForm)
        // The queue keeps what no connector takes under this word.
        .refine((id) => id !== 'unreachable', connectorIdForm),
    ],
    { error: connectorIdForm },
  )
  .transform(String)

export const instant = text((value) => {
  const at = Date.parse(value)
  return /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(value) && !Number.isNaN(at)
    ? at
    : null
}, 'must be a date such as 2027-01-31, or 2027-01-31T08:00:00Z')
