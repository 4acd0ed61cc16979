/** `relay load`: submits marked mail to a relay, measures, and audits what arrived at the sandbox. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseAddress } from '../address.ts'
import { parseDuration, parseSize } from '../config/units.ts'
import { auditRun, isKept } from '../lab/audit.ts'
import { drain, relayed } from '../lab/drain.ts'
import { type LoadOptions, type LoadProgress, type LoadResult, runLoad } from '../lab/load.ts'
import type { LoadTarget } from '../lab/load-client.ts'
import type { MessageSizes } from '../lab/load-message.ts'
import { auditFields, type Field, loadFields, progressLine } from './load-report.ts'
import { formatFields } from './table.ts'

export function registerLoad(program: Command): void {
  program
    .command('load')
    .description('generate load, measure, and audit what arrived against the ledger of a sandbox')
    .option('--host <host>', 'the relay to submit to', '127.0.0.1')
    .option('--port <port>', 'its port', parsePort, 2525)
    .option('--sessions <number>', 'connections at the same time', parseCount, 10)
    .option('--messages <number>', 'how many (default: 1000, or as many as fit into --duration)', parseCount)
    .option('--duration <duration>', 'how long, such as 30s or 5m', parseTime)
    .option('--rate <number>', 'messages per second (default: as fast as possible)', parseRate)
    .option('--messages-per-connection <number>', 'then a new connection is made', parseCount, 20)
    .option('--recipients <number>', 'recipients of each message', parseCount, 1)
    .option('--size <sizes>', '4KB, a list such as 4KB,100KB, or a range such as 1KB-1MB', parseSizes, {
      kind: 'list',
      bytes: [4096],
    })
    .addOption(
      new Option('--tls <mode>', 'how to encrypt').choices(['off', 'starttls', 'implicit']).default('off'),
    )
    .option('--ca <file>', 'PEM certificate to trust')
    .option('--insecure', 'take any certificate')
    .option('--user <name>', 'submit with AUTH')
    .option('--password-env <name>', 'the environment variable that holds the password')
    .option('--from <address>', '{seq} is the message; several are used in turn', collectPattern)
    .option(
      '--to <address>',
      '{seq} is the message, {n} the recipient; several are used in turn',
      collectPattern,
    )
    .option('--ehlo <name>', 'the name to greet with', 'load.example.com')
    .option('--seed <number>', 'the same seed makes the same messages', parseCount, 1)
    .option('--run <id>', 'name of the run in the ledger (default: a new one)', parseRun)
    .option('--retry <duration>', 'send again for so long after a broken connection or a 4yz', parseTime, 0)
    .option('--accepted-log <file>', 'write a line for each accepted message')
    .option('--ledger <file>', "the sandbox's ledger, to audit against")
    .option('--drain-timeout <duration>', 'how long to wait until all has arrived', parseTime, 60_000)
    .option('--json', 'print one JSON object')
    .action((options: Options, command: Command) => load(options, command))
}

interface Options {
  readonly host: string
  readonly port: number
  readonly sessions: number
  readonly messages?: number
  readonly duration?: number
  readonly rate?: number
  readonly messagesPerConnection: number
  readonly recipients: number
  readonly size: MessageSizes
  readonly tls: LoadTarget['tls']
  readonly ca?: string
  readonly insecure?: boolean
  readonly user?: string
  readonly passwordEnv?: string
  readonly from?: readonly string[]
  readonly to?: readonly string[]
  readonly ehlo: string
  readonly seed: number
  readonly run?: string
  readonly retry: number
  readonly acceptedLog?: string
  readonly ledger?: string
  readonly drainTimeout: number
  readonly json?: boolean
}

async function load(options: Options, command: Command): Promise<void> {
  const loadOptions = await loadOptionsOf(options, command)
  const interrupts = new Interrupts()
  try {
    const result = await measure(loadOptions, interrupts)
    const audited = options.ledger === undefined ? null : await audit(result, options, interrupts)
    print({ result, audited }, options, command)
    if (result.accepted === 0 || (audited && !isKept(audited.audit))) process.exitCode = 1
  } finally {
    interrupts.end()
  }
}

async function measure(options: LoadOptions, interrupts: Interrupts): Promise<LoadResult> {
  const line = new TerminalLine()
  const onProgress = (progress: LoadProgress) => line.show(progressLine(progress, options))
  try {
    return await runLoad(options, { signal: interrupts.next(), ...(line.isShown && { onProgress }) })
  } finally {
    line.clear()
  }
}

async function audit(result: LoadResult, options: Options, interrupts: Interrupts) {
  const line = new TerminalLine()
  const drained = await drain(result, {
    ledgerFile: options.ledger!,
    timeoutMs: options.drainTimeout,
    signal: interrupts.next(),
    onProgress: (outstanding) => line.show(`waiting for ${outstanding} recipients`),
  })
  line.clear()
  const { run } = result
  return {
    drained,
    relayed: relayed(result, drained.entries),
    audit: auditRun(result.submitted, drained.entries, { run }),
  }
}

type Audited = Awaited<ReturnType<typeof audit>>

function print(
  { result, audited }: { result: LoadResult; audited: Audited | null },
  options: Options,
  command: Command,
): void {
  const { writeOut } = command.configureOutput()
  if (options.json) {
    const { submitted: _, ...load } = result
    const arrived = audited && {
      relayed: { ...audited.relayed, complete: audited.drained.complete },
      audit: audited.audit,
    }
    writeOut!(`${JSON.stringify({ load, ...arrived })}\n`)
    return
  }
  const fields: Field[] = [...loadFields(result), ...(audited ? auditFields(audited.audit, audited) : [])]
  writeOut!(formatFields(fields, { width: undefined }))
}

async function loadOptionsOf(options: Options, command: Command): Promise<LoadOptions> {
  const to = options.to ?? ['load-{seq}-{n}@example.org']
  if (options.recipients > to.length && !to.every((pattern) => pattern.includes('{n}')))
    command.error('error: with more --recipients than --to addresses, each must contain {n}', { exitCode: 2 })
  return {
    run: options.run ?? randomBytes(4).toString('hex'),
    seed: options.seed,
    from: options.from ?? ['load@example.com'],
    to,
    recipientsPerMessage: options.recipients,
    sizes: options.size,
    messages: options.messages ?? (options.duration === undefined ? 1000 : null),
    durationMs: options.duration ?? null,
    rate: options.rate ?? null,
    target: await targetOf(options, command),
    sessions: options.sessions,
    messagesPerConnection: options.messagesPerConnection,
    retryForMs: options.retry,
    acceptedLog: options.acceptedLog ?? null,
  }
}

/** As RFC 5321 §4.5.3.2 asks of a client for the final dot, its longest wait. */
const replyTimeoutMs = 10 * 60_000

async function targetOf(options: Options, command: Command): Promise<LoadTarget> {
  const ca = options.ca === undefined ? null : await readFile(options.ca, 'utf8')
  return {
    host: options.host,
    port: options.port,
    tls: options.tls,
    trust: {
      secureContext: ca === null ? null : createSecureContext({ ca }),
      insecure: options.insecure ?? false,
    },
    auth: credentialsOf(options, command),
    ehloName: options.ehlo,
    timeoutMs: replyTimeoutMs,
  }
}

function credentialsOf({ user, passwordEnv }: Options, command: Command): LoadTarget['auth'] {
  if (user === undefined) return null
  if (passwordEnv === undefined) command.error('error: --user needs --password-env', { exitCode: 2 })
  const password = process.env[passwordEnv!]
  if (password === undefined) throw new Error(`Cannot log in: the environment has no variable ${passwordEnv}`)
  return { user, password }
}

/** Ctrl-C ends the step under way, load or drain; what there is by then is reported. One more ends the program. */
class Interrupts {
  #current: AbortController | null = null

  constructor() {
    process.on('SIGINT', this.#interrupt)
    process.on('SIGTERM', this.#interrupt)
  }

  next(): AbortSignal {
    this.#current = new AbortController()
    return this.#current.signal
  }

  end(): void {
    process.off('SIGINT', this.#interrupt)
    process.off('SIGTERM', this.#interrupt)
  }

  readonly #interrupt = (): void => {
    if (this.#current === null || this.#current.signal.aborted) process.exit(130)
    this.#current.abort()
  }
}

/** A line that is written over and over, where somebody watches. */
class TerminalLine {
  readonly isShown = process.stderr.isTTY === true

  show(text: string): void {
    if (this.isShown) process.stderr.write(`\r${text.slice(0, process.stderr.columns - 1)}\u001b[K`)
  }

  clear(): void {
    if (this.isShown) process.stderr.write('\r\u001b[K')
  }
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536) return Number(text)
  throw new InvalidArgumentError('It must be a port from 1 to 65535.')
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number from 1.')
}

function parseRate(text: string): number {
  const rate = Number(text)
  if (/^\d{1,6}(?:\.\d{1,3})?$/.test(text) && rate > 0) return rate
  throw new InvalidArgumentError('It must be a number of messages per second, such as 200 or 0.5.')
}

function parseTime(text: string): number {
  const durationMs = parseDuration(text)
  if (durationMs !== null) return durationMs
  throw new InvalidArgumentError('It must be a duration such as 500ms, 30s or 5m.')
}

function parseSizes(text: string): MessageSizes {
  const range = text.split('-').map(parseSize)
  const [minBytes, maxBytes] = range
  if (range.length === 2 && minBytes! > 0 && maxBytes! >= minBytes!)
    return { kind: 'range', minBytes: minBytes!, maxBytes: maxBytes! }
  const bytes = text.split(',').map(parseSize)
  if (bytes.every((size) => size !== null && size > 0)) return { kind: 'list', bytes: bytes as number[] }
  throw new InvalidArgumentError('It must be a size (4KB), a list (4KB,100KB) or a range (1KB-1MB).')
}

function parseRun(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text
  throw new InvalidArgumentError('It must be up to 64 letters, digits, dots and dashes.')
}

function collectPattern(text: string, patterns: readonly string[] | undefined): readonly string[] {
  const example = parseAddress(text.replaceAll('{seq}', '1').replaceAll('{n}', '1'))
  if ('error' in example || !/^[\x21-\x7e]+$/.test(text))
    throw new InvalidArgumentError('It must be an address such as load-{seq}@example.com.')
  return [...(patterns ?? []), text]
}
