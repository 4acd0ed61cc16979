/**
 * `npm run bench`: what the relay's promises cost. Each case runs the bare pass-through (pass-through.ts), the
 * relay on the embedded store, and the relay on Redis, in turn and several times over, against a sandbox in
 * a process of its own; figures are medians, and what counts are the ratios within one run. One more case runs the
 * relay without rules, with twenty that look at every message, and with one more that changes every message. Then the backlog:
 * how fast mail is accepted onto an empty queue and onto one of 200,000, in how much memory.
 * Prints tables, writes bench-results.json. Loopback only; Redis runs with `appendfsync always`.
 *
 * `--messages N`, `--rounds N`, `--backlog N` make it shorter or longer; `--only TEXT` takes the cases so named.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { formatTable } from '../../src/cli/table.ts'
import { drain, relayed } from '../../src/lab/drain.ts'
import { LedgerReader } from '../../src/lab/ledger.ts'
import { type LoadResult, runLoad } from '../../src/lab/load.ts'
import { closedPort } from '../support/closed-port.ts'
import { startRedis } from '../support/redis.ts'
import { MeasuredProcess } from './measured-process.ts'
import { lists, stamp, twentyRules } from './twenty-rules.ts'

const relayProgram = fileURLToPath(new URL('../../../main.js', import.meta.url))
const passThroughProgram = fileURLToPath(new URL('pass-through.js', import.meta.url))

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    backlog: { type: 'string', default: '200000' },
    only: { type: 'string', default: '' },
  },
})
const rounds = Number(values.rounds)
const backlogMessages = Number(values.backlog)
const sessions = 40

interface Case {
  readonly name: string
  readonly sizeBytes: number
  readonly messages: number
  readonly messagesPerConnection: number
  /** What is compared; the first is what the others are a part of. */
  readonly subjects: readonly Subject[]
}

const stores = ['pass-through', 'embedded', 'redis'] as const
const withRules = ['embedded', '20 rules', '20 rules and a change'] as const
type Subject = (typeof stores)[number] | (typeof withRules)[number]

const many = Number(values.messages)
const small = { sizeBytes: 4096, messages: many, messagesPerConnection: 1000 }
const large = { sizeBytes: 102_400, messages: many / 10, messagesPerConnection: 1000 }
const cases: readonly Case[] = [
  { name: '4 KB, connections kept', ...small, subjects: stores },
  { name: '100 KB, connections kept', ...large, subjects: stores },
  {
    name: '4 KB, connection per message',
    ...small,
    messages: many / 20,
    messagesPerConnection: 1,
    subjects: stores,
  },
  { name: '100 KB, connection per message', ...large, messagesPerConnection: 1, subjects: stores },
  { name: '4 KB, 20 rules, 3 with patterns', ...small, subjects: withRules },
]

interface Measurement {
  readonly perSecond: number
  readonly cpuMicrosPerMessage: number
  readonly peakMB: number
}

/** A running subject: where to submit, and its process. */
interface Running {
  readonly process: MeasuredProcess
  readonly port: number
  end(): Promise<void>
}

const directory = await mkdtemp(join(tmpdir(), 'relay-bench-'))

// Throughput

async function measureThroughput() {
  const rows = []
  for (const one of cases.filter(({ name }) => name.includes(values.only))) {
    const measured = new Map<Subject, Measurement[]>(one.subjects.map((subject) => [subject, []]))
    // The first round warms the disk and the page cache, and is not counted.
    for (let round = 0; round <= rounds; round++) {
      for (const subject of one.subjects) {
        const measurement = await measureOnce(subject, one)
        if (round > 0) measured.get(subject)!.push(measurement)
      }
    }
    const bare = measured.get(one.subjects[0]!)!
    for (const subject of one.subjects) {
      const runs = measured.get(subject)!
      rows.push({
        case: one.name,
        subject,
        perSecond: Math.round(median(runs.map((run) => run.perSecond))),
        ratio: median(runs.map((run, round) => run.perSecond / bare[round]!.perSecond)),
        cpuMicrosPerMessage: Math.round(median(runs.map((run) => run.cpuMicrosPerMessage))),
        peakMB: Math.round(Math.max(...runs.map((run) => run.peakMB))),
      })
    }
    print(
      `${one.name} (${sessions} sessions, ${one.messages} messages, median of ${rounds})`,
      rows.slice(-one.subjects.length),
    )
  }
  return rows
}

async function measureOnce(subject: Subject, one: Case): Promise<Measurement> {
  const ledgerFile = join(directory, `${randomBytes(6).toString('hex')}.ledger`)
  const sandbox = await startSandboxProcess(ledgerFile)
  const running = await startSubject(subject, {
    smartHostPort: sandbox.port,
    messagesPerConnection: one.messagesPerConnection,
  })
  try {
    // A second of the same, so that what is measured is not the compiler at work.
    await submit(running.port, { ...one, messages: Math.min(3000, one.messages / 2) }, ledgerFile)
    const cpuBeforeMs = running.process.cpuMs
    const { result, perSecond } = await submit(running.port, one, ledgerFile)
    return {
      perSecond,
      cpuMicrosPerMessage: ((running.process.cpuMs - cpuBeforeMs) * 1000) / result.accepted,
      peakMB: running.process.peakResidentBytes / 1024 ** 2,
    }
  } finally {
    await running.end()
    await sandbox.process.stop()
    await rm(ledgerFile, { force: true })
  }
}

/** Submits, waits until all of it is at the smart host, and gives the rate from the first byte to the last 250. */
async function submit(
  port: number,
  one: Case,
  ledgerFile: string,
): Promise<{ result: LoadResult; perSecond: number }> {
  const result = await runLoad(loadOptions(port, one))
  if (result.accepted !== one.messages)
    throw new Error(`only ${result.accepted} of ${one.messages} messages were accepted`)
  const drained = await drain(result, { ledgerFile, timeoutMs: 120_000 })
  if (!drained.complete) throw new Error('not everything arrived at the smart host')
  return { result, perSecond: relayed(result, drained.entries).perSecond }
}

function loadOptions(port: number, one: Pick<Case, 'sizeBytes' | 'messages' | 'messagesPerConnection'>) {
  return {
    run: randomBytes(4).toString('hex'),
    seed: 1,
    from: ['load@example.com'],
    to: ['load-{seq}@example.org'],
    recipientsPerMessage: 1,
    sizes: { kind: 'list' as const, bytes: [one.sizeBytes] },
    messages: one.messages,
    durationMs: null,
    rate: null,
    sessions,
    messagesPerConnection: one.messagesPerConnection,
    retryForMs: 0,
    acceptedLog: null,
    target: {
      host: '127.0.0.1',
      port,
      tls: 'off' as const,
      trust: { secureContext: null, insecure: false },
      auth: null,
      ehloName: 'load.example.com',
      timeoutMs: 60_000,
    },
  }
}

// Backlog

/**
 * Redis rewrites its log each time that has doubled, in a process of its own that takes a processor for many seconds.
 * Whether that falls into the messages that are measured is chance.
 */
const withoutRewrites = ['--auto-aof-rewrite-percentage', '0']

async function measureBacklog() {
  const rows = []
  for (const subject of ['embedded', 'redis'] as const) {
    const smartHostPort = await closedPort()
    const running = await startBehindNobody(subject, smartHostPort)
    try {
      await accept(running, 2000)
      await accept(running, backlogMessages - 2000)
      const rates = await measureBesideEmpty(subject, running)
      const waitingPeakMB = running.process.peakResidentBytes / 1024 ** 2
      rows.push({
        subject,
        waiting: backlogMessages,
        ...rates,
        ...(await measureDrain(running, smartHostPort)),
        waitingPeakMB: Math.round(waitingPeakMB),
        peakMB: Math.round(running.process.peakResidentBytes / 1024 ** 2),
      })
    } finally {
      await running.end()
    }
    print('Backlog (4 KB)', rows.slice(-1))
  }
  return rows
}

/** In turn with a relay whose queue is empty: a machine that has been busy for minutes is not the one it was before. */
async function measureBesideEmpty(subject: 'embedded' | 'redis', full: Running) {
  const empty = await startBehindNobody(subject, await closedPort())
  try {
    await accept(empty, 2000)
    const rates: { empty: number; full: number }[] = []
    for (let round = 0; round < rounds; round++)
      rates.push({ empty: await accept(empty, 4000), full: await accept(full, 4000) })
    return {
      acceptedPerSecondEmpty: Math.round(median(rates.map((rate) => rate.empty))),
      acceptedPerSecondFull: Math.round(median(rates.map((rate) => rate.full))),
      ratio: median(rates.map((rate) => rate.full / rate.empty)),
    }
  } finally {
    await empty.end()
  }
}

const startBehindNobody = (subject: 'embedded' | 'redis', smartHostPort: number): Promise<Running> =>
  startSubject(subject, { smartHostPort, messagesPerConnection: 1000, redis: withoutRewrites })

async function accept({ port }: Running, messages: number): Promise<number> {
  const options = loadOptions(port, { sizeBytes: 4096, messages, messagesPerConnection: 1000 })
  return (await runLoad(options)).acceptedPerSecond
}

/** The smart host comes up: how fast the backlog leaves, once the connector has noticed. */
async function measureDrain(running: Running, smartHostPort: number) {
  const ledgerFile = join(directory, 'drain.ledger')
  const sandbox = await startSandboxProcess(ledgerFile, smartHostPort)
  const reader = new LedgerReader(ledgerFile)
  try {
    const messages = backlogMessages / 2
    const warmUp = 2000
    let seen = 0
    const untilSeen = async (target: number) => {
      const giveUpAt = performance.now() + 300_000
      while (seen < target) {
        if (performance.now() > giveUpAt)
          throw new Error(`only ${seen} of ${target} messages left the backlog`)
        await sleep(20)
        seen += (await reader.read()).length
      }
    }
    await untilSeen(warmUp)
    const from = { seen, at: performance.now(), cpuMs: running.process.cpuMs }
    await untilSeen(warmUp + messages)
    const drained = seen - from.seen
    return {
      drainedPerSecond: Math.round((drained * 1000) / (performance.now() - from.at)),
      drainCpuMicrosPerMessage: Math.round(((running.process.cpuMs - from.cpuMs) * 1000) / drained),
    }
  } finally {
    await reader.close()
    await sandbox.process.stop()
    await rm(ledgerFile, { force: true })
  }
}

// Processes

async function startSandboxProcess(ledgerFile: string, port = 0) {
  const { process, first } = await MeasuredProcess.start(relayProgram, {
    output: join(directory, 'sandbox.out'),
    args: ['sandbox', '--json', '--port', `${port}`, '--ledger', ledgerFile],
    ready: (line) => (JSON.parse(line) as { listening?: { port: number } }).listening?.port ?? null,
  })
  return { process, port: first }
}

async function startSubject(
  subject: Subject,
  options: { smartHostPort: number; messagesPerConnection: number; redis?: readonly string[] },
): Promise<Running> {
  if (subject === 'pass-through') {
    const { process, first } = await MeasuredProcess.start(passThroughProgram, {
      output: join(directory, 'pass-through.out'),
      args: [`${options.smartHostPort}`, `${options.messagesPerConnection}`],
      ready: (line) => (JSON.parse(line) as { port: number }).port,
    })
    return { process, port: first, end: () => process.stop() }
  }
  const data = await mkdtemp(join(directory, 'data-'))
  const redis = subject === 'redis' ? await startRedis(options.redis) : null
  const file = join(data, 'relay.yaml')
  await writeFile(file, stringify({ ...relayConfig(data, options), policy: policyOf(subject) }))
  const { process, first } = await MeasuredProcess.start(relayProgram, {
    output: join(data, 'relay.log'),
    args: ['start', '--config', file],
    env: { BENCH_PASSWORD: 'sandbox', ...(redis !== null && { REDIS_URL: redis.url }) },
    ready: listenerPort(),
  })
  const end = async () => {
    await process.stop()
    await redis?.destroy()
    await rm(data, { recursive: true, force: true })
  }
  return { process, port: first, end }
}

function policyOf(subject: Subject) {
  if (subject === '20 rules') return { lists, rules: twentyRules }
  return subject === '20 rules and a change' ? { lists, rules: [...twentyRules, stamp] } : {}
}

/** Default durability and limits; as many connections as the pass-through opens. */
function relayConfig(dataDir: string, options: { smartHostPort: number; messagesPerConnection: number }) {
  return {
    hostname: 'relay.example.com',
    dataDir,
    listeners: [{ name: 'bench', port: 0, tls: 'off' }],
    admin: { port: 0 },
    delivery: { connectionRetry: ['1s'] },
    connectors: [
      {
        id: 1,
        name: 'Sandbox',
        addressSpaces: ['*'],
        smartHosts: ['127.0.0.1'],
        port: options.smartHostPort,
        smartHostAuthMechanism: 'basicAuthRequireTLS',
        user: 'sandbox',
        password: { env: 'BENCH_PASSWORD' },
        requireTLS: true,
        tlsAuthLevel: 'encryptionOnly',
        limits: { connections: sessions, messagesPerConnection: options.messagesPerConnection },
      },
    ],
  }
}

/** The listener's port, once the relay says that it is ready. */
function listenerPort(): (line: string) => number | null {
  let port: number | null = null
  return (text) => {
    const line = JSON.parse(text) as { msg?: string; port?: number }
    if (line.msg === 'listening') port = line.port!
    return line.msg === 'ready' ? port : null
  }
}

// Figures

function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

function print(title: string, rows: readonly Record<string, string | number>[]): void {
  const columns = Object.keys(rows[0]!).filter((name) => name !== 'case')
  const shown = (value: string | number) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toFixed(2)) : value
  const table = formatTable(
    columns.map((name) => ({
      title: titles[name] ?? name,
      value: (row: Record<string, string | number>) => shown(row[name]!),
    })),
    rows,
    { width: undefined },
  )
  console.log(`\n${title}\n${table}`)
}

const titles: Record<string, string> = {
  perSecond: 'msg/s',
  cpuMicrosPerMessage: 'CPU µs/msg',
  peakMB: 'peak MB',
  acceptedPerSecondEmpty: 'accepted/s, empty',
  acceptedPerSecondFull: 'accepted/s, full',
  drainedPerSecond: 'drained/s',
  drainCpuMicrosPerMessage: 'CPU µs/drained',
  waitingPeakMB: 'peak MB, waiting',
}

try {
  const throughput = await measureThroughput()
  const backlog = backlogMessages > 0 ? await measureBacklog() : []
  const machine = { cpus: cpus().length, node: process.version }
  const results = { at: new Date().toISOString(), machine, rounds, sessions, throughput, backlog }
  await writeFile('bench-results.json', `${JSON.stringify(results, null, 2)}\n`)
} finally {
  await rm(directory, { recursive: true, force: true })
}
