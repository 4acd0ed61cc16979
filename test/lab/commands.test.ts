/** `relay load` and `relay sandbox`, as a person meets them: the program itself, and the command in this process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Command, CommanderError } from 'commander'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { registerLoad } from '../../src/cli/load.ts'
import { progressLine } from '../../src/cli/load-report.ts'
import { type Sandbox, startSandbox } from '../../src/lab/sandbox.ts'
import { login } from './submitter.ts'

let directory: string
const cleanups: (() => unknown)[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  rmSync(directory, { recursive: true })
})

/** Runs `relay load` in this process: what it printed, and the code it would end with. */
async function load(...options: string[]): Promise<{ out: string; err: string; exitCode: number }> {
  let out = ''
  let err = ''
  const program = new Command('relay').exitOverride().configureOutput({
    writeOut: (text) => {
      out += text
    },
    writeErr: (text) => {
      err += text
    },
  })
  registerLoad(program)
  try {
    await program.parseAsync(['load', ...options], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return { out, err, exitCode: 2 }
  }
  const exitCode = Number(process.exitCode ?? 0)
  process.exitCode = 0
  return { out, err, exitCode }
}

async function sandboxWith(): Promise<{ sandbox: Sandbox; options: string[] }> {
  const certificate = { directory }
  const ledgerFile = join(directory, 'ledger')
  const sandbox = await startSandbox({ ...login, certificate, ledgerFile })
  cleanups.push(() => sandbox.stop())
  process.env.LOAD_PASSWORD = login.password
  cleanups.push(() => delete process.env.LOAD_PASSWORD)
  const target = ['--port', `${sandbox.port}`, '--tls', 'starttls', '--ca', join(directory, 'cert.pem')]
  const auth = ['--user', login.user, '--password-env', 'LOAD_PASSWORD']
  return { sandbox, options: [...target, ...auth, '--ledger', ledgerFile] }
}

describe('relay load', () => {
  it('prints rates, latencies and a clean audit', async () => {
    const { sandbox, options } = await sandboxWith()
    const { out, exitCode } = await load(...options, '--messages', '30', '--size', '1KB-20KB')
    expect(exitCode).toBe(0)
    expect(out).toMatch(/^Accepted +30 messages, /m)
    expect(out).toMatch(/^Accepted rate +[\d,.]+ messages\/s$/m)
    expect(out).toMatch(/^Latency +p50 [\d.]+ ms, p90 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms$/m)
    expect(out).toMatch(/^Audit +30 of 30 accepted recipients arrived$/m)
    expect(out).toMatch(/^Lost +0\nAltered +0\nDuplicated +0\n/m)
    expect(out).not.toMatch(new RegExp(login.password))
    expect(sandbox.counts.messages).toBe(30)
  })

  it('prints the same as JSON', async () => {
    const { options } = await sandboxWith()
    const { out, exitCode } = await load(
      ...options,
      '--messages',
      '5',
      '--recipients',
      '2',
      '--run',
      'x',
      '--json',
    )
    expect(exitCode).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      load: { run: 'x', accepted: 5, refused: 0, latency: { count: 5 } },
      relayed: { deliveries: 5, complete: true },
      audit: { accepted: 10, delivered: 10, lost: [], duplicated: [], altered: [] },
    })
  })

  it('ends with 1 where something was lost, and names it', async () => {
    const { options } = await sandboxWith()
    const other = ['--ledger', join(directory, 'other'), '--drain-timeout', '100ms']
    const { out, exitCode } = await load(...options, ...other, '--messages', '3')
    expect(exitCode).toBe(1)
    expect(out).toMatch(/^Audit +0 of 3 accepted recipients arrived$/m)
    expect(out).toMatch(/^Lost +3: messages \d, \d, \d$/m)
  })

  it('ends with 1 where nothing was accepted, and says why', async () => {
    const { sandbox, options } = await sandboxWith()
    await sandbox.stop()
    const { out, exitCode } = await load(...options, '--messages', '2', '--drain-timeout', '0s')
    expect(exitCode).toBe(1)
    expect(out).toMatch(/^Given up +2 messages$/m)
    expect(out).toMatch(/^Failure +2 × greeting: .*ECONNREFUSED/m)
  })

  it('shows which recipients misbehaved', async () => {
    const { options } = await sandboxWith()
    const { out, exitCode } = await load(
      ...options,
      '--messages',
      '4',
      '--to',
      'dot-554@example.org',
      '--to',
      'b@example.org',
    )
    expect(exitCode).toBe(0)
    expect(out).toMatch(/^Refusal +2 × dot: 554 5\.6\.0 Refused at DOT, as asked for$/m)
  })

  it.each<[string, string[], RegExp]>([
    ['a port that is none', ['--port', '70000'], /It must be a port from 1 to 65535/],
    ['no session', ['--sessions', '0'], /It must be a whole number from 1/],
    ['a size that is none', ['--size', '4XB'], /It must be a size/],
    ['a range the wrong way round', ['--size', '2KB-1KB'], /It must be a size/],
    ['a rate of nothing', ['--rate', '0'], /It must be a number of messages per second/],
    ['a duration without a unit', ['--duration', '10'], /It must be a duration/],
    ['an address that is none', ['--from', 'a b@example.com'], /It must be an address/],
    ['an address that is not ASCII', ['--to', 'ü@example.com'], /It must be an address/],
    ['a user without a password', ['--user', 'x'], /--user needs --password-env/],
    ['the same recipient twice', ['--recipients', '2', '--to', 'a@example.org'], /each must contain {n}/],
    ['an unknown kind of TLS', ['--tls', 'maybe'], /Allowed choices are off, starttls, implicit/],
    ['a run that cannot stand in a header field', ['--run', 'a b'], /It must be up to 64 letters/],
  ])('takes %s for wrong usage', async (_, options, message) => {
    const { err, exitCode } = await load(...options)
    expect(err).toMatch(message)
    expect(exitCode).toBe(2)
  })

  it('says which variable of the environment is missing', async () => {
    await expect(load('--user', 'x', '--password-env', 'NO_SUCH')).rejects.toThrow(/no variable NO_SUCH/)
  })
})

describe('progressLine', () => {
  const progress = {
    ...{
      accepted: 50,
      acceptedRecipients: 50,
      acceptedBytes: 1,
      refused: 0,
      failed: 0,
      refusedRecipients: 0,
    },
    ...{ retries: 0, unconfirmed: 0, connections: 1, failedConnections: 0, elapsedMs: 500 },
    latency: { count: 50, meanMs: 1, p50Ms: 1, p90Ms: 1, p99Ms: 2.5, maxMs: 3 },
  }
  it.each([
    ['half of the messages', { messages: 100, durationMs: null }, 15],
    ['a quarter of the time', { messages: null, durationMs: 2000 }, 8],
    ['whichever is further', { messages: 100, durationMs: 50_000 }, 15],
    ['no more than all', { messages: 10, durationMs: null }, 30],
  ])('shows %s', (_, total, marks) => {
    expect(progressLine(progress, total)).toBe(
      `[${'#'.repeat(marks).padEnd(30, '.')}] 50 accepted, 100/s, p99 2.5 ms`,
    )
  })
  it('shows trouble', () => {
    const troubled = { ...progress, refused: 2, failedConnections: 1 }
    expect(progressLine(troubled, { messages: 100, durationMs: null })).toMatch(
      /, 2 refused, 1 connections failed$/,
    )
  })
})

describe('relay sandbox', () => {
  /** Runs until its first line; `lines` grows on. */
  async function start(...options: string[]): Promise<{ child: ChildProcess; lines: string[] }> {
    const child = spawn(process.execPath, ['dist/main.js', 'sandbox', '--port', '0', ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanups.push(() => child.kill('SIGKILL'))
    const lines: string[] = []
    const reader = createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line))
    await Promise.race([once(reader, 'line'), once(child, 'exit')])
    if (child.exitCode !== null) throw new Error(`relay sandbox ended with ${child.exitCode}`)
    return { child, lines }
  }

  it('takes load, writes the ledger, and counts when it is told to stop', async () => {
    const ledger = join(directory, 'ledger')
    const { child, lines } = await start('--certificate-dir', directory, '--ledger', ledger)
    const match =
      /^Sandbox smart host listens on 127\.0\.0\.1:(\d+); STARTTLS and AUTH required, user sandbox$/.exec(
        lines[0]!,
      )
    process.env.LOAD_PASSWORD = 'sandbox'
    cleanups.push(() => delete process.env.LOAD_PASSWORD)
    const target = ['--port', match![1]!, '--tls', 'starttls', '--ca', join(directory, 'cert.pem')]
    const auth = ['--user', 'sandbox', '--password-env', 'LOAD_PASSWORD']
    const { exitCode } = await load(...target, ...auth, '--messages', '20', '--ledger', ledger)
    expect(exitCode).toBe(0)
    expect(readFileSync(ledger, 'utf8').trimEnd().split('\n')).toHaveLength(20)
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([0, null])
    expect(lines).toContain('Messages     20')
  })

  it('prints counts and kept messages as JSON', async () => {
    const { child, lines } = await start('--tls', 'implicit', '--keep', '1', '--password', 'other', '--json')
    const { port } = JSON.parse(lines[0]!).listening
    process.env.LOAD_PASSWORD = 'other'
    cleanups.push(() => delete process.env.LOAD_PASSWORD)
    const target = [
      '--port',
      `${port}`,
      '--tls',
      'implicit',
      '--insecure',
      '--messages',
      '2',
      '--sessions',
      '1',
    ]
    await load(...target, '--user', 'sandbox', '--password-env', 'LOAD_PASSWORD')
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([0, null])
    const { counts, messages } = JSON.parse(lines[1]!)
    expect(counts).toMatchObject({ messages: 2, authentications: 1 })
    expect(messages).toHaveLength(1)
    expect(Buffer.from(messages[0].raw, 'base64').toString()).toMatch(/^Subject: Load run \w+, message 2\r$/m)
  })

  it('ends with 2 where only one of certificate and key is given, and with 1 where the port is taken', async () => {
    const { sandbox } = await sandboxWith()
    for (const [options, code] of [
      [['--cert', 'x.pem'], 2],
      [['--port', `${sandbox.port}`], 1],
    ] as const) {
      const child = spawn(process.execPath, ['dist/main.js', 'sandbox', ...options], { stdio: 'ignore' })
      expect(await once(child, 'close')).toEqual([code, null])
    }
  })
})
