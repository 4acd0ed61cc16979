/** `relay queue suspend …`, over the admin port on a real queue. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { registerQueue } from '../../src/cli/queue.ts'
import { type OperatedRelay, startOperatedRelay, token } from '../admin/queue/operated-relay.ts'
import { type Run, runCommand } from './run-command.ts'

let relay: OperatedRelay
let directory: string
let tokenFile: string

beforeEach(async () => {
  relay = await startOperatedRelay()
  directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))
  tokenFile = join(directory, 'token')
  writeFileSync(tokenFile, `${token}\n`)
})
afterEach(async () => {
  await relay.stop()
  rmSync(directory, { recursive: true })
})

function queue(...args: readonly string[]): Promise<Run> {
  return runCommand(registerQueue, ['queue', ...args, '--admin', relay.url, '--token-file', tokenFile])
}

const jsonLines = (out: string) =>
  out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

describe('by id', () => {
  it('acts on each, and prints what came of it', async () => {
    const [one, two] = await relay.store({ items: [{}, {}] })
    const { out, err, code } = await queue('suspend', one!.id, two!.id, '--reason', 'a spam run?')
    expect({ err, code }).toEqual({ err: '', code: 0 })
    expect(out).toMatch(new RegExp(`^ID +RESULT\n${one!.id} +done\n${two!.id} +done\n$`))
    expect(relay.events.of('suspended')).toMatchObject([{ reason: 'a spam run?' }, { by: 'local' }])
    expect(jsonLines((await queue('resume', one!.messageId, '--json')).out)).toEqual([
      { id: one!.id, result: 'done' },
      { id: two!.id, result: 'done' },
    ])
  })

  it('goes on with the others where one is busy or gone, and fails', async () => {
    const [busy] = await relay.store()
    await relay.lease('alpha')
    const [held] = await relay.store({ items: [{ suspended: 'x' }] })
    const { out, err, code } = await queue('resume', busy!.id, `${held!.id}9`, held!.id)
    expect(code).toBe(1)
    expect(err).toBe(
      `An attempt to deliver ${busy!.id} is under way: ask again when it is over\n` +
        `No item or message ${held!.id}9 is in the queue\n`,
    )
    expect(out).toContain(`${held!.id}  done`)
  })

  it.each([
    [[], ['alpha', 'dsn']],
    [['--dsn'], ['alpha', 'dsn']],
    [['--no-dsn'], ['alpha']],
  ])('removes with a report, as Exchange does, unless told otherwise: %j', async (options, connectors) => {
    const [item] = await relay.store()
    await relay.store({ items: [{ suspended: 'x' }] })
    expect(await queue('remove', item!.id, ...options)).toMatchObject({ code: 0 })
    expect((await relay.items()).map(({ item }) => item.connector)).toEqual(connectors)
  })

  it('redirects to the target', async () => {
    const [item] = await relay.store()
    expect(await queue('redirect', item!.id, '--target', 'beta')).toMatchObject({ code: 0 })
    expect(await relay.get(item!.id)).toMatchObject({ item: { connector: 'beta' } })
    expect(await queue('redirect', item!.id, '--target', 'gamma')).toMatchObject({
      err: 'error: There is no connector gamma, or it is disabled\n',
      code: 2,
    })
  })
})

describe('by a filter', () => {
  it('acts on all that match, over many requests', async () => {
    for (let n = 0; n < 3; n++)
      await relay.store({ items: Array.from({ length: 50 }, () => ({ suspended: 'x' })) })
    await relay.store({ items: [{ connector: 'beta', suspended: 'x' }] })
    expect(await queue('resume', '--connector', 'alpha')).toEqual({ out: 'Resumed: 150\n', err: '', code: 0 })
    expect(jsonLines((await queue('resume', '--all', '--json')).out)).toEqual([
      { done: 1, busy: 0, missing: 0 },
    ])
  })

  it('says what it left alone, and fails', async () => {
    await relay.store()
    await relay.lease('alpha')
    expect(await queue('suspend', '--all')).toEqual({
      out: 'Suspended: 0\n',
      err: 'Left alone, as an attempt is under way: 1\n',
      code: 1,
    })
  })

  it('removes only where that is confirmed', async () => {
    await relay.store()
    const refused = await queue('remove', '--all')
    expect(refused).toMatchObject({ err: 'error: remove by a filter needs --yes here\n', code: 2 })
    expect(await relay.items()).toHaveLength(1)
    expect(await queue('remove', '--all', '--yes', '--no-dsn')).toMatchObject({
      out: 'Removed: 1\n',
      code: 0,
    })
    expect(await relay.items()).toEqual([])
  })
})

it.each([
  [['resume'], /say which items/],
  [['resume', '01JABCDEFGHJKMNPQRST', '--all'], /ids and filters exclude each other/],
  [['resume', '--all', '--state', 'suspended'], /--all and filters exclude each other/],
  [['resume', '4711'], /must be the id of an item or of a message/],
  [['redirect', '--all'], /--target/],
  [['resume', '--state', 'held'], /filter\.state must be ready, deferred, leased or suspended/],
])('refuses %j as wrong usage', async (args, message) => {
  const { err, code } = await queue(...args)
  expect(err).toMatch(message)
  expect(code).toBe(2)
})

describe('export', () => {
  it('writes the stored bytes into a file of its own', async () => {
    const body = Buffer.concat([Buffer.from('Subject: x\r\n\r\n\0é\n.\r\n'), Buffer.alloc(600_000, 'x')])
    const [item] = await relay.store({ body })
    const out = join(directory, 'message.eml')
    expect(await queue('export', item!.id, '--out', out)).toEqual({ out: '', err: '', code: 0 })
    expect(readFileSync(out).equals(body)).toBe(true)
    expect(statSync(out).mode & 0o777).toBe(0o600)
    expect(await queue('export', item!.id, '--out', out)).toMatchObject({
      err: `${out} cannot be written: it is there\n`,
      code: 1,
    })
  })

  it('makes no file where there is no message', async () => {
    const out = join(directory, 'message.eml')
    const id = '01JABCDEFGHJKMNPQRST-1'
    expect(await queue('export', id, '--out', out)).toMatchObject({
      err: `No item or message ${id} is in the queue\n`,
      code: 1,
    })
    expect(() => statSync(out)).toThrow('ENOENT')
  })
})
