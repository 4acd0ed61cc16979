import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { parseConfig } from '../../src/config/parse.ts'
import { jsonSchema, renderReference } from '../../src/config/reference.ts'
import { examples, fresh, furtherEntries, notes } from '../../src/config/reference-values.ts'
import { configSchema } from '../../src/config/schema.ts'
import {
  isArraySchema,
  isObjectSchema,
  isUnionSchema,
  schemasAt,
  unwrap,
} from '../../src/config/schema-walk.ts'

const file = readFileSync(new URL('../../config/relay.yaml', import.meta.url), 'utf8')

/** Every comment that is a setting becomes one; those within it in the next round. */
function withEverySetting(text: string): string {
  const next = text.replace(/^( *)#(?=\S| {2})/gm, '$1')
  return next === text ? text : withEverySetting(next)
}

/** A rule may refuse, defer or drop a message, and not all of it. */
function withoutContradiction(text: string): string {
  return text.replace(/^ *drop: true\n/m, '').replace(/^( *)defer:\n(?:\1 .*\n)+/m, '')
}

describe('config/relay.yaml', () => {
  it('is what the schema generates (after a change: relay check --reference > config/relay.yaml)', () => {
    expect(file).toBe(renderReference())
  })

  it('is valid, without a warning, and says what a fresh checkout runs', () => {
    const result = parseConfig(file)
    expect(result).toMatchObject({ warnings: [], config: { senders: [], access: { users: [] } } })
    if ('errors' in result) throw new Error('unreachable')
    const { listeners, connectors, sandbox, queue } = result.config
    expect(listeners).toMatchObject([{ address: '127.0.0.1', port: 2525, tls: 'starttls' }])
    expect(queue.store).toBe('embedded')
    expect(connectors).toMatchObject([
      {
        addressSpaces: ['*'],
        smartHosts: [sandbox!.address],
        port: sandbox!.port,
        smartHostAuthMechanism: 'basicAuthRequireTLS',
        user: sandbox!.user,
        requireTLS: true,
      },
    ])
    const password = readFileSync(new URL('../../config/sandbox-password', import.meta.url), 'utf8')
    expect(password).toBe(`${sandbox!.password}\n`)
  })

  it('shows the defaults: what it sets beside the sandbox is what it would be anyway', () => {
    const result = parseConfig(file)
    const { hostname, listeners, connectors } = fresh
    const bare = parseConfig(
      JSON.stringify({
        hostname,
        listeners: listeners.map(({ name, port }) => ({ name, port })),
        connectors: connectors.map(({ limits, ...connector }) => connector),
        sandbox: {},
      }),
    )
    expect('config' in bare && bare.config).toEqual('config' in result && result.config)
  })

  it('stays valid when every setting it comments out is used', () => {
    const result = parseConfig(withoutContradiction(withEverySetting(file)))
    expect('errors' in result ? result.errors : []).toEqual([])
    const config = 'config' in result ? result.config : null
    expect(config?.listeners).toHaveLength(2)
    expect(config?.connectors).toHaveLength(2)
    expect(config?.senders).toHaveLength(3)
    expect(config?.access.users).toHaveLength(1)
    expect(config?.queue.redis.password).toEqual({ env: 'REDIS_PASSWORD' })
  })

  it('has every key of the schema, described', () => {
    const words = withEverySetting(file).replace(/\n *# /g, ' ')
    for (const { key, description } of keysOf(configSchema)) {
      expect(withEverySetting(file)).toMatch(new RegExp(`^[ -]*${key}:`, 'm'))
      expect(description, `description of ${key}`).not.toBe('')
      expect(words).toContain(description)
    }
  })
})

it('has examples and notes for paths that exist alone', () => {
  const lists = (first: string) =>
    first === 'policy' ? ['rules', 'limits', 'checkers', 'dkim'] : ['listeners', 'connectors']
  for (const path of [...Object.keys(examples), ...Object.keys(furtherEntries), ...Object.keys(notes)]) {
    // Entries of lists have no number here.
    const steps = path
      .split('.')
      .flatMap((step, _, [first]) => (lists(first!).includes(step) ? [step, 0] : [step]))
    const known = schemasAt(configSchema, steps).length + schemasAt(configSchema, path.split('.')).length
    expect(known, path).toBeGreaterThan(0)
  }
})

describe('the JSON Schema', () => {
  const schema = JSON.parse(JSON.stringify(jsonSchema()))
  it('knows the keys, descriptions and defaults as they are written', () => {
    expect(schema.required).toEqual(['hostname', 'listeners'])
    expect(schema.additionalProperties).toBe(false)
    expect(schema.properties.listeners.items.properties.idleTimeout).toMatchObject({
      default: '5m',
      description: expect.stringContaining('RFC 5321'),
    })
    expect(schema.properties.listeners.items.properties.maxMessageSize.default).toBe('36MB')
    expect(schema.properties.delivery.properties.messageRetry.default.at(-1)).toBe('10m')
  })
})

/** Keys of mappings that people write by name; those of unions' alternatives too, but not of secrets. */
function keysOf(schema: z.core.$ZodType): { key: string; description: string }[] {
  const bare = unwrap(schema)
  if (isArraySchema(bare)) {
    const element = unwrap(bare.element)
    return isUnionSchema(element) ? [] : keysOf(element)
  }
  if (!isObjectSchema(bare)) return []
  return Object.entries(bare.shape).flatMap(([key, field]) => [
    { key, description: field.description ?? '' },
    ...keysOf(field),
  ])
}
