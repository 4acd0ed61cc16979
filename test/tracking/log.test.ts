import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MailEvent } from '../../src/observe/events.ts'
import { createLog } from '../../src/observe/log.ts'
import { permanent } from '../../src/reply.ts'
import { fileHead, parseLine } from '../../src/tracking/csv.ts'
import { TrackingLog } from '../../src/tracking/log.ts'
import { searchTracking, type TrackingPage } from '../../src/tracking/search.ts'
import { builtProgram } from '../support/built-worker.ts'
import { TestClock } from '../support/test-clock.ts'

const hourMs = 3_600_000
/** 8:00 on 5 January 2026. */
const first = 'MSGTRK2026010508-1.LOG'

let directory: string
let dir: string
let clock: TestClock
let logged: Record<string, unknown>[]
let open: TrackingLog[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'relay-tracking-'))
  dir = join(directory, 'tracking')
  clock = new TestClock()
  logged = []
  open = []
})

afterEach(async () => {
  for (const log of open) await log.stop()
  await rm(directory, { recursive: true, force: true })
})

function start(options: { keepMs?: number; maxBytes?: number } = {}): TrackingLog {
  const log = new TrackingLog({
    dir,
    hostname: 'relay.example.com',
    clock,
    log: createLog({
      level: 'info',
      destination: { write: (line: string) => void logged.push(JSON.parse(line)) },
    }),
    keepMs: 30 * 24 * hourMs,
    maxBytes: 1024 ** 3,
    ...options,
  })
  log.start()
  open.push(log)
  return log
}

let sequence = 0
function event(reason = 'asked by an operator'): MailEvent {
  const messageId = `01JABCDEFGHJK${String(++sequence).padStart(7, '0')}`
  return { event: 'suspended', itemId: `${messageId}-1`, messageId, connector: '29', reason }
}

const linesOf = async (name: string) =>
  (await readFile(join(dir, name), 'utf8'))
    .split('\r\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
const files = async () => (await readdir(dir)).sort()

describe('the tracking log', () => {
  it('writes a file that begins as those of Exchange do, readable by its owner alone', async () => {
    const log = start()
    log.track(event())
    log.track({ ...event(), event: 'resumed' } as MailEvent)
    await log.flush()
    const text = await readFile(join(dir, first), 'utf8')
    expect(text.startsWith(fileHead(clock.now()))).toBe(true)
    expect((await linesOf(first)).map((line) => parseLine(line)?.['event-id'])).toEqual(['SUSPEND', 'RESUME'])
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
    expect((await stat(join(dir, first))).mode & 0o777).toBe(0o600)
  })

  it('writes by itself a moment later', async () => {
    start().track(event())
    await expect.poll(() => linesOf(first).catch(() => [])).toHaveLength(1)
  })

  it('makes no file while nothing happens', async () => {
    await start().flush()
    await expect(readdir(dir)).rejects.toThrow('ENOENT')
  })

  it('begins a file each hour, and puts each event into that of its hour', async () => {
    const log = start()
    log.track(event())
    clock.advance(hourMs - 1)
    log.track(event())
    clock.advance(1)
    log.track(event())
    await log.flush()
    expect(await files()).toEqual([first, 'MSGTRK2026010509-1.LOG'])
    expect(await linesOf(first)).toHaveLength(2)
    expect(await linesOf('MSGTRK2026010509-1.LOG')).toHaveLength(1)
  })

  it('begins another file of the hour when one has its size', async () => {
    const log = start()
    const count = 26_000
    for (let i = 0; i < count; i++) {
      log.track(event('x'.repeat(900)))
      if (i % 4000 === 0) await log.flush()
    }
    await log.flush()
    expect((await files()).slice(0, 3)).toEqual([first, 'MSGTRK2026010508-2.LOG', 'MSGTRK2026010508-3.LOG'])
    const lines = (await Promise.all((await files()).map(linesOf))).flat()
    expect(lines).toHaveLength(count)
    for (const name of await files()) expect((await stat(join(dir, name))).size).toBeLessThan(14 * 1024 ** 2)
  })

  it('makes a file of its own where another relay, or an earlier run, has one', async () => {
    await mkdir(dir)
    await writeFile(join(dir, first), 'half a li')
    const log = start()
    log.track(event())
    await log.flush()
    expect(await readFile(join(dir, first), 'utf8')).toBe('half a li')
    expect(await linesOf('MSGTRK2026010508-2.LOG')).toHaveLength(1)
  })

  it('removes files that were kept long enough, at the start and with each new file', async () => {
    await mkdir(dir)
    await writeFile(join(dir, 'MSGTRK2025120107-1.LOG'), 'old')
    await writeFile(join(dir, 'somebody-elses.txt'), 'stays')
    const log = start({ keepMs: 24 * hourMs })
    await log.flush()
    expect(await files()).toEqual(['somebody-elses.txt'])
    log.track(event())
    await log.flush()
    clock.advance(25 * hourMs)
    log.track(event())
    await log.flush()
    expect(await files()).toEqual(['MSGTRK2026010609-1.LOG', 'somebody-elses.txt'])
  })

  it('removes the oldest files where all together are too large', async () => {
    await mkdir(dir)
    for (const number of [1, 2, 3])
      await writeFile(join(dir, `MSGTRK202601050${number}-1.LOG`), Buffer.alloc(6 * 1024 ** 2))
    const log = start({ maxBytes: 20 * 1024 ** 2 })
    log.track(event())
    await log.flush()
    // 10 MB are for the file that is being written.
    expect(await files()).toEqual(['MSGTRK2026010503-1.LOG', first])
  })

  it('loses nothing that was tracked before it stopped', async () => {
    const log = start()
    for (let i = 0; i < 5000; i++) log.track(event())
    await log.stop()
    expect(await linesOf(first)).toHaveLength(5000)
  })
})

/** Tracks more than a file may hold (64 KB, by `ulimit`), in a process of its own. */
const program = `
  const [log, ids] = await Promise.all(process.argv.slice(1, 3).map((module) => import(module)))
  const tracking = new log.TrackingLog({
    dir: process.argv[3],
    hostname: 'relay.example.com',
    clock: Date,
    log: { warn: (fields, message) => console.log(message) },
    keepMs: 86400000,
    maxBytes: 1024 ** 3,
  })
  for (let i = 0; i < 3000; i++) {
    const messageId = ids.newMessageId(Date.now())
    const reason = 'x'.repeat(i % 50)
    tracking.track({ event: 'suspended', itemId: messageId + '-1', messageId, connector: '29', reason })
  }
  for (let i = 0; i < 15; i++) await tracking.flush()
  await tracking.stop()`

describe('refused messages', () => {
  const client = { address: '192.0.2.1', listener: 'exchange', user: null }
  const messageId = '01JABCDEFGHJKMNPQRST'
  const limited = (id = messageId): MailEvent => ({
    ...{ event: 'limited', messageId: id, limit: 'per-user', of: 'mailer', over: 'reject' },
  })
  const rejected: MailEvent = {
    ...{ event: 'rejected', command: 'DATA', client, from: 'a@example.com', to: 'b@example.org' },
    reply: permanent('7.1', 'No'),
    message: {
      ...{ messageId, internetMessageId: null, networkMessageId: null, by: 'policy' },
      ...{ recipients: ['b@example.org'], sizeBytes: 1 },
    },
  }
  const accepted = (id: string): MailEvent => ({
    ...{ event: 'accepted', messageId: id, internetMessageId: null, from: 'a@example.com', client },
    recipients: [{ address: 'b@example.org', connector: '29' }],
    ...{ forms: null, sizeBytes: 1, tls: null, durationMs: 1 },
  })

  it('are told with what policy found', async () => {
    const log = start()
    log.track(limited())
    log.track(rejected)
    await log.flush()
    expect((await linesOf(first)).map((line) => parseLine(line)?.['event-id'])).toEqual(['AGENTINFO', 'FAIL'])
  })

  it('that are too many are left out and counted, and take no room from others', async () => {
    const log = start({ maxBytes: 20 * 1024 ** 2 })
    for (let i = 0; i < 20_000; i++) {
      log.track(limited())
      log.track(rejected)
      if (i % 1000 === 0) await log.flush()
    }
    const other = '01JABCDEFGHJKMNPQRSX'
    log.track(accepted(other))
    log.track(limited(other))
    await log.stop()
    const lines = await linesOf(first)
    expect(lines.slice(-2).map((line) => parseLine(line)?.['event-id'])).toEqual(['RECEIVE', 'AGENTINFO'])
    expect(lines.join('').length).toBeLessThan(1.1 * 1024 ** 2)
    expect(logged).toMatchObject([{ level: 'warn', lines: 40_000 + 2 - lines.length }])
  })
})

it('writes each line once, and whole, where the disk takes only a part of what it is given', async () => {
  const modules = ['./tracking/log.js', './message-id.js'].map((path) => new URL(path, builtProgram).href)
  const shell = 'ulimit -f 64; exec "$0" --input-type=module --eval "$1" "$2" "$3" "$4"'
  const { stdout } = await promisify(execFile)('bash', [
    '-c',
    shell,
    process.execPath,
    program,
    ...modules,
    dir,
  ])
  expect(stdout).toContain('cannot be written; mail goes on')
  const { length } = await files()
  expect(length).toBeGreaterThan(3)
  const ids: string[] = []
  let after: string | null = null
  do {
    const page: TrackingPage = await searchTracking({ dir }, {}, { limit: 1000, after })
    ids.push(...page.events.map(({ messageId }) => messageId))
    after = page.next
  } while (after !== null)
  expect(new Set(ids).size).toBe(3000)
  expect(ids).toHaveLength(3000)
})

describe('a directory that refuses writes', () => {
  /** A file stands where the directory should be. */
  const refuse = () => writeFile(dir, '')
  const allow = () => rm(dir)

  it('is told once, and what waited is written when it is well again', async () => {
    await refuse()
    const log = start()
    log.track(event())
    await log.flush()
    log.track(event())
    await log.flush()
    expect(logged).toMatchObject([
      {
        level: 'warn',
        msg: 'The tracking history cannot be written; mail goes on',
        reason: expect.stringMatching(/EEXIST|ENOTDIR/),
      },
    ])
    await allow()
    await log.flush()
    expect(await linesOf(first)).toHaveLength(2)
    expect(logged.slice(1)).toMatchObject([{ msg: expect.stringContaining('written again'), lines: 0 }])
  })

  it('costs a bounded memory, then lines, which are counted', async () => {
    await refuse()
    const log = start()
    const count = 20_000
    for (let i = 0; i < count; i++) log.track(event('x'.repeat(900)))
    await log.flush()
    await allow()
    await log.flush()
    const kept = (await linesOf(first)).length
    expect(kept).toBeGreaterThan(5000)
    expect(kept).toBeLessThan(10_000)
    expect(logged.at(-1)).toMatchObject({ lines: count - kept })
    log.track(event())
    await log.flush()
    expect(await linesOf(first)).toHaveLength(kept + 1)
  })

  it('does not keep the relay from stopping', async () => {
    await refuse()
    const log = start()
    log.track(event())
    await log.stop()
    expect(logged).toHaveLength(1)
  })
})
