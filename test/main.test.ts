/** The program as a shell sees it: exit codes, and what becomes of output that nobody reads. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { connectorTo } from './support/relay-process.ts'

const program = process.env.RELAY_PROGRAM ?? 'dist/main.js'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-main-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env.PATH ?? '', SANDBOX_PASSWORD: 'sandbox' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = start(...args)
  const [out, err, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'exit') as Promise<[number]>,
  ])
  return { code, out, err }
}

function configFile(change: Record<string, unknown> = {}): string {
  const file = join(directory, 'relay.yaml')
  const config = {
    hostname: 'relay.example.com',
    dataDir: join(directory, 'data'),
    listeners: [{ name: 'exchange', port: 0 }],
    admin: { port: 0 },
    connectors: [connectorTo(2587)],
    ...change,
  }
  writeFileSync(file, stringify(config))
  return file
}

describe('exit codes', () => {
  it.each([
    [0, ['--help']],
    [0, ['queue', '--help']],
    [2, []],
    [2, ['no-such-command']],
    [2, ['check', '--no-such-option']],
    [2, ['connector', 'test']],
    [2, ['explain', '--from', 'a@example.com']],
    [1, ['check', '--config', '/no/such/file']],
    [1, ['start', '--config', '/no/such/file']],
  ])('%i: relay %j', async (code, args) => {
    const ended = await run(...args)
    expect(ended.code).toBe(code)
    expect(code === 0 ? ended.out : ended.err).not.toBe('')
    expect(ended.err).not.toMatch(/^ +at /m)
  })
})

it('ends quietly where nobody reads its output any more', async () => {
  const child = start('check', '--reference')
  child.stdout!.destroy()
  const [err, [code, signal]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
  expect({ err, code, signal }).toEqual({ err: '', code: 0, signal: null })
})

it.each(['listener', 'admin'])(
  'relay start ends with the reason where the port of the %s is taken',
  async (whose) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const file = configFile(
      whose === 'admin' ? { admin: { port } } : { listeners: [{ name: 'exchange', port }] },
    )
    const { code, err } = await run('start', '--config', file)
    taken.close()
    expect(code).toBe(1)
    expect(err).toContain(`address already in use 127.0.0.1:${port}`)
  },
)
