/**
 * Whether a Redis keeps what it confirms, decided from what it says about itself (INFO, CONFIG, TIME). Measured,
 * not assumed: with any `appendfsync` but `always`, a plain kill -9 of Redis loses confirmed writes when the
 * disk is slow, and any eviction policy deletes mail. Each finding says what is wrong and what to set.
 */
import { BlockList, isIP } from 'node:net'

/** What one Redis server (each master of a cluster) says about itself. */
export interface RedisFacts {
  /** `host:port`, for the findings' texts. */
  readonly server: string
  /** Null where the account may not use INFO. */
  readonly info: ReadonlyMap<string, string> | null
  /** Null where the account may not use CONFIG GET, as with most hosted services. */
  readonly config: ReadonlyMap<string, string> | null
  /** Its clock less ours. */
  readonly clockDifferenceMs: number
  readonly loopback: boolean
  readonly authenticated: boolean
}

export interface Finding {
  /** `unusable`: the queue cannot work; the others are refused by `durability: strict` and warned about by `relaxed`. */
  readonly kind: 'unusable' | 'unsafe'
  readonly text: string
}

/** Scripts that run over maxmemory (`#!lua flags=allow-oom`) came with 7.0. */
const oldestMajor = 7
const largestClockDifferenceMs = 2000

const wanted: readonly (readonly [setting: string, value: string, why: string])[] = [
  ['appendonly', 'yes', 'without it a restart of Redis loses the queue'],
  ['appendfsync', 'always', 'otherwise Redis confirms mail that is not on disk yet'],
  ['no-appendfsync-on-rewrite', 'no', 'otherwise nothing is synced while Redis rewrites its log'],
  ['maxmemory-policy', 'noeviction', 'every other policy deletes mail when memory is full'],
]

/** The settings to ask CONFIG GET for. */
export const durabilitySettings: readonly string[] = wanted.map(([setting]) => setting)

/** Everything that speaks against using this Redis, in the order an operator would mend it; empty where nothing does. */
export function durabilityFindings(facts: RedisFacts): readonly Finding[] {
  const texts = [
    ...serverFindings(facts).map((text) => ({ kind: 'unusable' as const, text })),
    ...[...settingFindings(facts), ...stateFindings(facts), ...accessFindings(facts)].map((text) => ({
      kind: 'unsafe' as const,
      text,
    })),
  ]
  return texts.map(({ kind, text }) => ({ kind, text: `${facts.server}: ${text}` }))
}

function serverFindings({ info }: RedisFacts): readonly string[] {
  if (info === null) return ['INFO is forbidden: allow it (ACL SETUSER … +info)']
  const found: string[] = []
  const version = info.get('redis_version') ?? 'unknown'
  if (!(Number.parseInt(version, 10) >= oldestMajor))
    found.push(`Redis ${oldestMajor}.0 or newer is needed, this is ${version}`)
  if (info.get('role') !== 'master')
    found.push(`its role is ${info.get('role') ?? 'unknown'}: name the master, or use mode: sentinel`)
  return found
}

function settingFindings({ info, config }: RedisFacts): readonly string[] {
  if (config !== null) {
    return wanted
      .filter(([setting, value]) => config.get(setting) !== value)
      .map(([setting, value, why]) => {
        const actual = config.get(setting) ?? 'not known to it'
        return `${setting} is ${actual}: CONFIG SET ${setting} ${value} (${why})`
      })
  }
  const unverified = 'durability unverified, CONFIG GET is forbidden: allow it (ACL SETUSER … +config|get)'
  return info?.get('aof_enabled') === '0'
    ? [unverified, 'appendonly is no: CONFIG SET appendonly yes']
    : [unverified]
}

function stateFindings({ info, clockDifferenceMs }: RedisFacts): readonly string[] {
  const found: string[] = []
  const written = info?.get('aof_last_write_status')
  if (written !== undefined && written !== 'ok')
    found.push(`aof_last_write_status is ${written}: Redis cannot write its log, see to its disk`)
  if (Math.abs(clockDifferenceMs) >= largestClockDifferenceMs)
    found.push(
      `its clock differs from this machine's by ${clockDifferenceMs} ms: leases need less than ` +
        `${largestClockDifferenceMs}, synchronise both (NTP)`,
    )
  return found
}

function accessFindings({ loopback, authenticated }: RedisFacts): readonly string[] {
  if (loopback || authenticated) return []
  return [
    'it is reached over the network without a password: set requirepass or an ACL user, and queue.redis.password',
  ]
}

export interface RedisHealth {
  /** Why nothing can be written, or null. */
  readonly fault: string | null
  /** Whether memory is so nearly used up that no more is to be added: before Redis itself refuses. */
  readonly memoryFull: boolean
}

const fullAt = 0.9

/** The check while running, from `INFO` alone. */
export function redisHealth(server: string, info: ReadonlyMap<string, string>): RedisHealth {
  const written = info.get('aof_last_write_status')
  const role = info.get('role')
  const most = Number(info.get('maxmemory') ?? 0)
  const memoryFull = most > 0 && Number(info.get('used_memory') ?? 0) > most * fullAt
  let fault: string | null = null
  if (memoryFull) fault = `${server}: more than ${fullAt * 100} % of maxmemory is used`
  if (written !== undefined && written !== 'ok') fault = `${server}: aof_last_write_status is ${written}`
  if (role !== undefined && role !== 'master') fault = `${server}: its role is ${role}`
  return { fault, memoryFull }
}

/** The answer of INFO: lines of `name:value`, and comments. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const info = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) info.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return info
}

/** The answer of CONFIG GET: name and value in turn. */
export function parseConfig(answer: unknown): ReadonlyMap<string, string> {
  const config = new Map<string, string>()
  if (!Array.isArray(answer)) return config
  for (let i = 0; i + 1 < answer.length; i += 2) config.set(String(answer[i]), String(answer[i + 1]))
  return config
}

const loopbacks = new BlockList()
loopbacks.addSubnet('127.0.0.0', 8, 'ipv4')
loopbacks.addAddress('::1', 'ipv6')

export function isLoopback(host: string): boolean {
  const family = isIP(host)
  if (family === 0) return host === 'localhost'
  return loopbacks.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
