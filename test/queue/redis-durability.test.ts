import { describe, expect, it } from 'vitest'
import {
  durabilityFindings,
  isLoopback,
  parseConfig,
  parseInfo,
  type RedisFacts,
  redisHealth,
} from '../../src/queue/redis/durability.ts'
import { refusals } from '../../src/queue/redis/health.ts'

const info = { redis_version: '7.0.15', role: 'master', aof_enabled: '1', aof_last_write_status: 'ok' }
const config = {
  appendonly: 'yes',
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  'maxmemory-policy': 'noeviction',
}

interface Change {
  info?: Record<string, string> | null
  config?: Record<string, string> | null
  clockDifferenceMs?: number
  loopback?: boolean
  authenticated?: boolean
}

function facts(change: Change = {}): RedisFacts {
  return {
    server: 'redis.example.com:6379',
    clockDifferenceMs: 3,
    loopback: true,
    authenticated: false,
    ...change,
    info: change.info === null ? null : new Map(Object.entries({ ...info, ...change.info })),
    config: change.config === null ? null : new Map(Object.entries({ ...config, ...change.config })),
  }
}

describe('a Redis that keeps what it confirms', () => {
  it.each<[string, Change]>([
    ['on loopback', {}],
    ['over the network with a password', { loopback: false, authenticated: true }],
    ['of a newer version', { info: { redis_version: '8.2.0' } }],
    ['whose clock is a little off', { clockDifferenceMs: -1999 }],
  ])('gives nothing to find: %s', (_, change) => {
    expect(durabilityFindings(facts(change))).toEqual([])
  })
})

describe('what is unsafe is refused by strict and warned about by relaxed', () => {
  it.each<[string, Change, RegExp]>([
    ['no append-only file', { config: { appendonly: 'no' } }, /CONFIG SET appendonly yes/],
    [
      'fsync every second',
      { config: { appendfsync: 'everysec' } },
      /is everysec: CONFIG SET appendfsync always/,
    ],
    ['no fsync while rewriting', { config: { 'no-appendfsync-on-rewrite': 'yes' } }, /-on-rewrite no/],
    ['eviction', { config: { 'maxmemory-policy': 'allkeys-lru' } }, /CONFIG SET maxmemory-policy noeviction/],
    ['CONFIG forbidden', { config: null }, /durability unverified.*\+config\|get/],
    [
      'an AOF that cannot be written',
      { info: { aof_last_write_status: 'err' } },
      /aof_last_write_status is err/,
    ],
    ['a clock that is ahead', { clockDifferenceMs: 2000 }, /clock differs .* by 2000 ms/],
    ['a clock that is behind', { clockDifferenceMs: -5000 }, /clock differs .* by -5000 ms/],
    ['no password over the network', { loopback: false }, /without a password/],
  ])('%s', (_, change, text) => {
    expect(durabilityFindings(facts(change))).toMatchObject([
      { kind: 'unsafe', text: expect.stringMatching(text) },
    ])
    expect(refusals([facts(change)], 'strict')).toHaveLength(1)
    expect(refusals([facts(change)], 'relaxed')).toEqual([])
  })
})

describe('what cannot work is refused by both', () => {
  it.each<[string, Change, RegExp]>([
    ['Redis 6', { info: { redis_version: '6.2.14' } }, /7\.0 or newer is needed, this is 6\.2\.14/],
    ['a replica', { info: { role: 'slave' } }, /role is slave/],
    ['INFO forbidden', { info: null }, /INFO is forbidden/],
  ])('%s', (_, change, text) => {
    expect(durabilityFindings(facts(change))).toMatchObject([
      { kind: 'unusable', text: expect.stringMatching(text) },
    ])
    expect(refusals([facts(change)], 'relaxed')).toHaveLength(1)
  })
})

it('lists everything at once, with the server, for each server', () => {
  const bad = facts({ config: { appendonly: 'no', appendfsync: 'no' }, loopback: false })
  const found = refusals([bad, facts(), { ...bad, server: 'second:6379' }], 'strict')
  expect(found).toHaveLength(6)
  expect(found[0]!.text).toMatch(/^redis\.example\.com:6379: appendonly is no/)
  expect(found[5]!.text).toMatch(/^second:6379: /)
})

it('sees from INFO that nothing is appended where CONFIG is forbidden', () => {
  expect(durabilityFindings(facts({ config: null, info: { aof_enabled: '0' } }))).toHaveLength(2)
})

describe('while running', () => {
  it.each<[string, Record<string, string>, string | null, boolean]>([
    ['all is well', { used_memory: '90', maxmemory: '100' }, null, false],
    ['memory has no limit', { used_memory: '90000', maxmemory: '0' }, null, false],
    ['memory is nearly full', { used_memory: '91', maxmemory: '100' }, 'maxmemory', true],
    ['the AOF cannot be written', { aof_last_write_status: 'err' }, 'aof_last_write_status is err', false],
    ['the master became a replica', { role: 'slave' }, 'role is slave', false],
  ])('%s', (_, change, fault, memoryFull) => {
    const health = redisHealth('r:1', new Map(Object.entries({ ...info, ...change })))
    expect(health.memoryFull).toBe(memoryFull)
    if (fault === null) expect(health.fault).toBeNull()
    else expect(health.fault).toContain(fault)
  })
})

it('reads INFO and CONFIG GET', () => {
  const text = '# Server\r\nredis_version:7.0.15\r\nexecutable:/usr/bin/redis:server\r\n\r\n# Memory\r\n'
  expect(parseInfo(text)).toEqual(
    new Map([
      ['redis_version', '7.0.15'],
      ['executable', '/usr/bin/redis:server'],
    ]),
  )
  expect(parseConfig(['appendonly', 'yes', 'save', ''])).toEqual(
    new Map([
      ['appendonly', 'yes'],
      ['save', ''],
    ]),
  )
  expect(parseConfig('nonsense')).toEqual(new Map())
})

it.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['192.0.2.1', false],
  ['::ffff:192.0.2.1', false],
  ['2001:db8::1', false],
  ['redis.example.com', false],
])('knows whether %s is this machine', (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback)
})
