/**
 * The sandbox: a smart host as a provider runs it, except that it delivers nowhere. STARTTLS (or implicit TLS) and
 * AUTH are required; what it takes is counted, kept in memory (the newest), and written to a ledger. It
 * misbehaves by local part (`misbehaviour.ts`) or altogether (`switches`, `pause`). The relay runs one for
 * its first steps, `relay sandbox` runs one alone, and tests and benchmarks deliver to it.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Envelope } from '../envelope.ts'
import { formatReply, temporary } from '../reply.ts'
import { type Certificate, certificateIn, selfSignedCertificate } from './certificate.ts'
import { formatLedgerEntry, type LedgerEntry } from './ledger.ts'
import { LineFile } from './line-file.ts'
import { Misbehaviours } from './misbehaviour.ts'
import { seededRandom } from './prng.ts'
import { SandboxSession } from './sandbox-session.ts'
import type { ReceivedMessage, SandboxCounts, SandboxSwitches, SessionHost } from './session-host.ts'

export interface SandboxOptions {
  /** Default: 127.0.0.1. */
  readonly address?: string
  /** Default: 0, any free one. */
  readonly port?: number
  readonly user: string
  readonly password: string
  /** Default: starttls. `none` takes AUTH in clear, for tests of what must never happen. */
  readonly tls?: 'starttls' | 'implicit' | 'none'
  /** Default: a self-signed one for localhost, made in memory or once in the directory. */
  readonly certificate?: Certificate | { readonly directory: string }
  /** How many of the newest messages to keep in memory. Default: 0, they are only counted. */
  readonly keepMessages?: number
  /** Keeps ledger entries in memory too. Default: false. */
  readonly keepLedger?: boolean
  /** File that each message is written to before its 250. */
  readonly ledgerFile?: string | null
  /** Advertised as SIZE. Default: 150 MB. */
  readonly maxMessageSizeBytes?: number
  /** Of the random misbehaviour. Default: 1. */
  readonly seed?: number
}

export interface KeptMessage {
  readonly id: string
  readonly envelope: Envelope
  readonly raw: Buffer
  readonly receivedAt: number
  readonly tls: string | null
  readonly user: string
}

export interface Sandbox {
  readonly address: string
  readonly port: number
  /** PEM, for clients to trust; null without TLS. */
  readonly certificate: string | null
  readonly counts: Readonly<SandboxCounts>
  /** Open at present. */
  readonly connections: number
  /** The kept ones, oldest first. */
  readonly messages: readonly KeptMessage[]
  /** Of what is kept; counts and ledger stay. */
  forgetMessages(): void
  /** With `keepLedger`: every message taken. */
  readonly ledger: readonly LedgerEntry[]
  readonly switches: SandboxSwitches
  /** Resolves when so many messages have been taken since the start. */
  received(messages: number): Promise<void>
  /** Answers nobody until `resume`, like a host that hangs: connections are made, but not greeted. */
  pause(): void
  resume(): void
  /** Breaks every connection; new ones are taken. */
  dropConnections(): void
  stop(): Promise<void>
}

export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const certificate = options.tls === 'none' ? null : await certificateOf(options)
  const sandbox = new SandboxServer(options, certificate)
  await sandbox.listen()
  return sandbox
}

async function certificateOf({ certificate }: SandboxOptions): Promise<Certificate> {
  if (certificate === undefined) return selfSignedCertificate()
  return 'directory' in certificate ? certificateIn(certificate.directory) : certificate
}

const defaultMaxMessageSizeBytes = 150 * 1024 ** 2
/** Kept messages beyond this, together, push out older ones, however few they are. */
const mostKeptBytes = 256 * 1024 ** 2

class SandboxServer implements Sandbox, SessionHost {
  address = ''
  port = 0
  readonly name = 'sandbox.localhost'
  readonly tls: 'starttls' | 'implicit' | 'none'
  readonly user: string
  readonly password: string
  readonly certificate: string | null
  readonly secureContext: SecureContext | null
  readonly maxMessageSizeBytes: number
  readonly misbehaviours: Misbehaviours
  readonly messages: KeptMessage[] = []
  readonly ledger: LedgerEntry[] = []
  readonly counts: SandboxCounts = {
    connections: 0,
    authentications: 0,
    authenticationsRefused: 0,
    messages: 0,
    recipients: 0,
    bytes: 0,
    refusals: 0,
  }
  readonly switches: SandboxSwitches = {
    greeting: null,
    offerStartTls: true,
    offerAuth: true,
    refuseAuth: null,
    maxConnections: 1000,
    maxMessagesPerConnection: Number.POSITIVE_INFINITY,
  }
  readonly #options: SandboxOptions
  readonly #server: Server
  readonly #sessions = new Set<SandboxSession>()
  readonly #idPrefix = Date.now().toString(36)
  #waiters: { readonly messages: number; readonly resolve: () => void }[] = []
  #ledgerFile: LineFile | null = null
  #keptBytes = 0
  #paused = false
  #stopped: Promise<void> | null = null

  constructor(options: SandboxOptions, certificate: Certificate | null) {
    this.#options = options
    this.tls = options.tls ?? 'starttls'
    this.user = options.user
    this.password = options.password
    this.certificate = certificate?.cert ?? null
    this.secureContext = certificate && createSecureContext({ ...certificate, minVersion: 'TLSv1.2' })
    this.maxMessageSizeBytes = options.maxMessageSizeBytes ?? defaultMaxMessageSizeBytes
    this.misbehaviours = new Misbehaviours(seededRandom(options.seed ?? 1))
    this.#server = createServer({ noDelay: true }, (socket) => this.#connected(socket))
  }

  async listen(): Promise<void> {
    if (this.#options.ledgerFile) this.#ledgerFile = new LineFile(this.#options.ledgerFile)
    try {
      this.#server.listen({ host: this.#options.address ?? '127.0.0.1', port: this.#options.port ?? 0 })
      await once(this.#server, 'listening')
      const { address, port } = this.#server.address() as AddressInfo
      this.address = address
      this.port = port
    } catch (error) {
      this.#ledgerFile?.close()
      throw error
    }
  }

  get connections(): number {
    return this.#sessions.size
  }

  get paused(): boolean {
    return this.#paused
  }

  get keepsContent(): boolean {
    return (this.#options.keepMessages ?? 0) > 0
  }

  received(messages: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ messages, resolve })
      this.#wakeWaiters()
    })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    for (const session of this.#sessions) session.wake()
  }

  forgetMessages(): void {
    this.messages.length = 0
    this.#keptBytes = 0
  }

  dropConnections(): void {
    for (const session of this.#sessions) session.destroy()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  keep(message: ReceivedMessage, answer: (result: { id: string } | { error: Error }) => void): void {
    const entry = ledgerEntry(message)
    const taken = () => answer({ id: this.#take(message, entry) })
    if (this.#ledgerFile)
      this.#ledgerFile.append(formatLedgerEntry(entry), (error) => (error ? answer({ error }) : taken()))
    else taken()
  }

  async #stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    // What has been taken is confirmed before the connections break.
    this.#ledgerFile?.flush()
    this.dropConnections()
    await closed
    this.#ledgerFile?.close()
    this.#ledgerFile = null
  }

  #connected(socket: Socket): void {
    this.counts.connections++
    if (this.#sessions.size >= this.switches.maxConnections) {
      turnAway(socket)
      return
    }
    const session = new SandboxSession(socket, this, { onEnd: () => this.#sessions.delete(session) })
    this.#sessions.add(session)
  }

  #take(message: ReceivedMessage, entry: LedgerEntry): string {
    this.counts.messages++
    this.counts.recipients += message.recipients.length
    this.counts.bytes += message.sizeBytes
    const id = `${this.#idPrefix}-${this.counts.messages}`
    if (this.#options.keepLedger) this.ledger.push(entry)
    if (message.raw) this.#keepContent(id, message, message.raw)
    this.#wakeWaiters()
    return id
  }

  #keepContent(id: string, message: ReceivedMessage, raw: Buffer): void {
    const { sender, recipients, receivedAt, tls, user } = message
    this.messages.push({ id, envelope: { ...sender, to: recipients }, raw, receivedAt, tls, user })
    this.#keptBytes += raw.length
    const most = this.#options.keepMessages ?? 0
    while (this.messages.length > most || this.#keptBytes > mostKeptBytes)
      this.#keptBytes -= this.messages.shift()!.raw.length
  }

  #wakeWaiters(): void {
    if (this.#waiters.length === 0) return
    for (const waiter of this.#waiters) if (waiter.messages <= this.counts.messages) waiter.resolve()
    this.#waiters = this.#waiters.filter((waiter) => waiter.messages > this.counts.messages)
  }
}

function ledgerEntry(message: ReceivedMessage): LedgerEntry {
  return {
    run: message.mark?.run ?? null,
    seq: message.mark?.seq ?? null,
    sizeBytes: message.sizeBytes,
    sha256: message.sha256,
    from: message.sender.from,
    to: message.recipients.map((recipient) => recipient.address),
    receivedAt: message.receivedAt,
    messageId: message.messageId,
  }
}

function turnAway(socket: Socket): void {
  const reply = temporary('7.0', 'Too many connections', 421)
  // The client may be gone already; there is nothing else to tell it.
  socket.on('error', () => socket.destroy())
  socket.write(`${formatReply(reply)}\r\n`)
  socket.destroySoon()
}
