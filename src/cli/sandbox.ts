/** `relay sandbox`: the sandbox smart host alone, in its own process. */
import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Sandbox, type SandboxOptions, startSandbox } from '../lab/sandbox.ts'
import { formatFields } from './table.ts'

export function registerSandbox(program: Command): void {
  program
    .command('sandbox')
    .description('run a smart host that requires TLS and AUTH, takes mail and delivers nowhere')
    .option('--address <address>', 'the address to listen on', '127.0.0.1')
    .option('--port <port>', 'the port to listen on; 0 is any free one', parsePort, 2587)
    .addOption(
      new Option('--tls <mode>', 'how to encrypt').choices(['starttls', 'implicit']).default('starttls'),
    )
    .option('--cert <file>', 'PEM certificate (default: a self-signed one for localhost)')
    .option('--key <file>', 'its PEM key')
    .option(
      '--certificate-dir <dir>',
      'make the self-signed one there, once: cert.pem is for clients to trust',
    )
    .option('--user <name>', 'the user that may log in', 'sandbox')
    .option('--password <password>', 'not a secret: the sandbox delivers nowhere', 'sandbox')
    .option('--ledger <file>', 'write a line for each message, before it is confirmed')
    .option('--keep <number>', 'keep so many of the newest messages, to be printed with --json', parseKeep, 0)
    .option('--json', 'print JSON: a line when ready, a line with counts and kept messages at the end')
    .action((options: Options, command: Command) => sandbox(options, command))
}

interface Options {
  readonly address: string
  readonly port: number
  readonly tls: 'starttls' | 'implicit'
  readonly cert?: string
  readonly key?: string
  readonly certificateDir?: string
  readonly user: string
  readonly password: string
  readonly ledger?: string
  readonly keep: number
  readonly json?: boolean
}

async function sandbox(options: Options, command: Command): Promise<void> {
  const { writeOut } = command.configureOutput()
  // Waits for signals before it says that it is ready: who reads that may send one at once.
  const stopped = untilStopped()
  const running = await startSandbox(await sandboxOptionsOf(options, command))
  writeOut!(readyLine(running, options))
  await stopped
  await running.stop()
  writeOut!(options.json ? `${JSON.stringify(summaryOf(running))}\n` : formatCounts(running))
}

async function sandboxOptionsOf(options: Options, command: Command): Promise<SandboxOptions> {
  const { address, port, user, password, tls, keep, cert, key, certificateDir } = options
  if ((cert === undefined) !== (key === undefined))
    command.error('error: --cert and --key belong together', { exitCode: 2 })
  const basics = {
    address,
    port,
    user,
    password,
    tls,
    keepMessages: keep,
    ledgerFile: options.ledger ?? null,
  }
  if (certificateDir !== undefined) return { ...basics, certificate: { directory: certificateDir } }
  if (cert === undefined) return basics
  return { ...basics, certificate: { cert: await readFile(cert, 'utf8'), key: await readFile(key!, 'utf8') } }
}

function readyLine(running: Sandbox, options: Options): string {
  const { address, port } = running
  if (options.json) return `${JSON.stringify({ listening: { address, port } })}\n`
  const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const tls = options.tls === 'implicit' ? 'implicit TLS' : 'STARTTLS'
  return `Sandbox smart host listens on ${place}; ${tls} and AUTH required, user ${options.user}\n`
}

function summaryOf(running: Sandbox) {
  const messages = running.messages.map(({ raw, ...message }) => ({
    ...message,
    raw: raw.toString('base64'),
  }))
  return { counts: running.counts, messages }
}

function formatCounts({ counts }: Sandbox): string {
  return formatFields(
    [
      ['Connections', counts.connections],
      ['Messages', counts.messages],
      ['Recipients', counts.recipients],
      ['Bytes', counts.bytes],
      ['Refusals', counts.refusals],
    ],
    { width: undefined },
  )
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw new InvalidArgumentError('It must be a port from 0 to 65535.')
}

function parseKeep(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number up to 999999.')
}
