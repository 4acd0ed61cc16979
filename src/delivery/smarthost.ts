/**
 * One connection to a smart host. nodemailer's SMTPConnection opens it (greeting, EHLO, STARTTLS, AUTH) and
 * carries commands and replies; the transactions on it are ours (transaction.ts), because nodemailer's take
 * an early 250 for a success, have one set of DSN parameters for all recipients, and write a body in pieces.
 *
 * Fails closed: where TLS is required, nothing but EHLO, STARTTLS and QUIT leaves in clear; where the connector
 * logs in, no MAIL leaves before the host has accepted the login, and no credentials go to a host that does not
 * ask for them in a way we speak. Nothing here rejects: every end is an `Attempt`.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Connector } from '../config/connector.ts'
import type { Log } from '../observe/log.ts'
import type { ProtocolSession } from '../observe/protocol-log/protocol-session.ts'
import { formatEndpoint } from '../observe/protocol-log/record.ts'
import { formatReply, printable, type Reply, temporary } from '../reply.ts'
import type { Attempt } from './attempt.ts'
import { type Extensions, parseExtensions } from './extensions.ts'
import { type Fault, faultOf, type HostError, type Stage, tlsFault } from './faults.ts'
import {
  endedBy,
  HostConnection,
  type SmartHostConnection,
  type SmtpSession,
  type Timeouts,
} from './host-connection.ts'
import type { HostAddress } from './resolve.ts'
import { tlsIsRequired, tlsOptions } from './tls-options.ts'

export type { SmartHostConnection, Timeouts } from './host-connection.ts'

export type OpenResult =
  | { readonly ok: true; readonly connection: SmartHostConnection }
  | {
      readonly ok: false
      readonly attempt: Extract<Attempt, { scope: 'connection' }>
      /** How far it came. */
      readonly stage: Stage
    }

/** Hears every command and reply outside transactions, one at a time. Secrets are left out. */
export type Transcript = (by: 'relay' | 'host', text: string) => void

export const rfcTimeouts: Timeouts = {
  openMs: 60_000,
  commandMs: 5 * 60_000,
  blockMs: 3 * 60_000,
  dotMs: 10 * 60_000,
  quitMs: 2_000,
}

/** More than any reply has, little enough for a peer that never ends one. */
const longestReplyBytes = 64 * 1024
/** Replies waiting beyond those that were asked for: nodemailer takes one a turn of the event loop, and holds the rest. */
const mostReplies = 1000
/** nodemailer's own timers only count idle time: they stay behind ours. */
const neverMs = 24 * 60 * 60_000

export interface OpenOptions {
  readonly signal?: AbortSignal
  readonly log: Log
  readonly timeouts?: Timeouts
  readonly transcript?: Transcript
  /** Where the whole dialogue is logged; null where it is not. */
  readonly protocol?: ProtocolSession | null
}

/** Connects, and gets as far as MAIL may be sent. */
export async function openSmartHost(
  connector: Connector,
  host: HostAddress,
  options: OpenOptions,
): Promise<OpenResult> {
  const opening = new Opening(connector, host, options)
  const stop = (): void => opening.stop('the relay stops')
  const timer = setTimeout(() => opening.stop('timed out', 'ETIMEDOUT'), opening.timeouts.openMs)
  options.signal?.addEventListener('abort', stop)
  if (options.signal?.aborted) stop()
  try {
    const connection = await opening.run(options.log)
    options.log.debug({ connector: connector.id, host: connection.host }, 'smart host ready')
    return { ok: true, connection }
  } catch (error) {
    const { stage } = opening
    const attempt = { scope: 'connection', host: opening.label, ...opening.faultOf(error) } as const
    opening.logFailure(error, attempt.reply)
    opening.abandon()
    return { ok: false, attempt, stage }
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', stop)
  }
}

class Opening {
  readonly label: string
  readonly timeouts: Timeouts
  readonly #connector: Connector
  readonly #host: HostAddress
  readonly #transcript: Transcript | null
  readonly #protocol: ProtocolSession | null
  /** Rejects when the opening is stopped from outside. */
  readonly #stopped: Promise<never>
  #reject: (error: Error) => void = () => {}
  #stage: Stage = 'connect'
  #socket: Socket | null = null
  #smtp: SMTPConnection | null = null

  constructor(
    connector: Connector,
    host: HostAddress,
    options: Pick<OpenOptions, 'timeouts' | 'transcript' | 'protocol'>,
  ) {
    this.#connector = connector
    this.#host = host
    this.timeouts = options.timeouts ?? rfcTimeouts
    this.#protocol = options.protocol ?? null
    this.#transcript = options.transcript ?? (this.#protocol && ((by, text) => this.#log(by, text)))
    this.label = labelOf(host, connector.port)
    this.#stopped = new Promise((_, reject) => {
      this.#reject = reject
    })
    // It also rejects when nobody waits for it any more.
    this.#stopped.catch(() => {})
  }

  stop(message: string, code = 'ABORT_ERR'): void {
    this.#reject(Object.assign(new Error(message), { code }))
  }

  abandon(): void {
    this.#smtp?.close()
    this.#socket?.destroy()
  }

  async run(log: Log): Promise<HostConnection> {
    this.#socket = connectTcp({
      host: this.#host.address,
      port: this.#connector.port,
      noDelay: true,
      keepAlive: true,
    })
    await this.#unlessStopped(connected(this.#socket))
    this.#protocol?.connected(formatEndpoint(this.#socket.localAddress, this.#socket.localPort))
    this.#stage = 'greeting'
    const smtp = this.#session(this.#socket)
    await this.#unlessStopped(greeted(smtp))
    const extensions = parseExtensions(smtp.lastServerResponse || '')
    if (tlsIsRequired(this.#connector) && !isEncrypted(smtp)) throw new Refusal(noTls)
    if (this.#connector.smartHostAuthMechanism !== 'none') {
      this.#stage = 'auth'
      await this.#unlessStopped(this.#logIn(smtp, extensions))
    }
    return new HostConnection(smtp as unknown as SmtpSession, {
      socket: smtp._socket as Socket,
      host: this.label,
      extensions,
      timeouts: this.timeouts,
      log,
      protocol: this.#protocol,
    })
  }

  faultOf(error: unknown): Fault {
    if (error instanceof Refusal) return error.fault
    const hostError = error as HostError
    if (this.#stage !== 'auth') return faultOf(this.stage, hostError)
    const { response } = hostError
    return faultOf(
      'auth',
      response === undefined
        ? hostError
        : { ...hostError, message: '', response: this.#withoutSecrets(response) },
    )
  }

  #session(socket: Socket): SMTPConnection {
    const smtp = new SMTPConnection({
      connection: socket,
      host: this.#host.address,
      port: this.#connector.port,
      name: this.#connector.fqdn,
      secure: this.#connector.tls === 'implicit',
      // STARTTLS is used wherever it is offered; a failed one never falls back to clear text.
      requireTLS: tlsIsRequired(this.#connector),
      ignoreTLS: false,
      opportunisticTLS: false,
      tls: tlsOptions(this.#connector, this.#host),
      connectionTimeout: neverMs,
      greetingTimeout: neverMs,
      socketTimeout: neverMs,
      socketCloseTimeout: this.timeouts.quitMs,
      maxResponseSize: longestReplyBytes,
      transactionLog: this.#transcript !== null,
      logger: this.#transcript === null ? false : this.#listener(this.#transcript),
    })
    this.#smtp = smtp
    // Without a listener an error that comes late would end the process.
    smtp.on('error', () => {})
    boundReplies(smtp as unknown as SmtpSession & SocketReader)
    return smtp
  }

  /** LOGIN or PLAIN as the host offers; PLAIN where it offers both, it takes one round trip instead of three. */
  #logIn(smtp: SMTPConnection, extensions: Extensions): Promise<void> {
    const method = ['PLAIN', 'LOGIN'].find((mechanism) => extensions.auth.includes(mechanism))
    if (method === undefined) throw new Refusal(noLogin(extensions))
    const { user, password } = this.#connector
    return new Promise((resolve, reject) => {
      smtp.once('error', reject)
      smtp.once('end', () => reject(new Error('connection closed')))
      smtp.login({ method, user: user ?? '', pass: password ?? '' }, (error) =>
        error ? reject(error) : resolve(),
      )
    })
  }

  /** nodemailer's log, of which what was said is passed on; it leaves the credentials out of what we say. */
  #listener(transcript: Transcript) {
    const speakers = { client: 'relay', server: 'host' } as const
    return {
      trace: nothing,
      debug: (entry: { tnx?: string }, text: string) => {
        const by = speakers[entry.tnx as keyof typeof speakers]
        if (by !== undefined) transcript(by, this.#withoutSecrets(text))
      },
      info: nothing,
      warn: nothing,
      error: nothing,
      fatal: nothing,
    }
  }

  /** The first thing that is said inside TLS is what shows that it is there. */
  #log(by: 'relay' | 'host', text: string): void {
    const socket = this.#smtp?._socket
    if (this.#smtp?.secure && socket instanceof TLSSocket) this.#protocol?.secured(socket)
    if (by === 'relay') this.#protocol?.command(text)
    else this.#protocol?.reply(text)
  }

  /** What a host says to a login may hold it, in whatever spelling: those words stay out. */
  logFailure(error: unknown, reply: Reply): void {
    const answered = (error as HostError).response !== undefined
    const aboutLogin = this.#stage === 'auth' && answered
    this.#protocol?.note(aboutLogin ? 'Outbound authentication failed with LogonDenied' : formatReply(reply))
    this.#protocol?.closed(endedBy((this.#smtp?._socket as Socket | undefined) ?? this.#socket))
  }

  get stage(): Stage {
    if (this.#stage !== 'greeting') return this.#stage
    if (this.#smtp?.upgrading) return 'tls'
    return this.#smtp?.lastServerResponse ? 'ehlo' : 'greeting'
  }

  /** Some hosts repeat the command they refuse. */
  #withoutSecrets(text: string): string {
    const { user, password } = this.#connector
    // The longest first: it may contain another.
    const encoded = [base64(`\0${user}\0${password}`), base64(password ?? '')]
    const unpadded = encoded.map((text) => text.replace(/=+$/, ''))
    const spellings = [...encoded, ...unpadded, password ?? '']
    return spellings.reduce((safe, secret) => (secret === '' ? safe : safe.replaceAll(secret, '***')), text)
  }

  #unlessStopped<T>(step: Promise<T>): Promise<T> {
    return Promise.race([step, this.#stopped])
  }
}

/** nodemailer's listener on its sockets, the plain one and the one inside TLS. */
interface SocketReader {
  _onSocketData: (chunk: Buffer) => void
}

/** A host that keeps talking, be it in blank lines, could fill our memory until the deadline. */
function boundReplies(session: SmtpSession & SocketReader): void {
  const read = session._onSocketData
  session._onSocketData = (chunk) => {
    read(chunk)
    if (session._responseQueue.length <= session._responseActions.length + mostReplies) return
    session.emit('error', new Error('it says more than it is asked'))
    session.close()
  }
}

/** A refusal of ours, complete with its words. */
class Refusal extends Error {
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault.reply.text)
    this.fault = fault
  }
}

const noTls = tlsFault({ message: 'the connection is not encrypted' })

function noLogin(extensions: Extensions): Fault {
  const offered = extensions.auth.length > 0 ? `only AUTH ${extensions.auth.join(' ')}` : 'no AUTH'
  const text = `The connector logs in with PLAIN or LOGIN, the smart host offers ${offered}`
  return { fault: 'auth-missing', reply: temporary('7.0', printable(text)) }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve()
    })
    socket.once('error', reject)
  })
}

/** Greeting, EHLO, STARTTLS and the EHLO after it. */
function greeted(smtp: SMTPConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    smtp.once('connect', resolve)
    smtp.once('error', reject)
    smtp.once('end', () => reject(new Error('connection closed')))
    smtp.connect()
  })
}

const isEncrypted = (smtp: SMTPConnection): boolean => smtp.secure && smtp._socket instanceof TLSSocket

function labelOf({ name, address }: HostAddress, port: number): string {
  return name === address ? `[${address}]:${port}` : `${name}[${address}]:${port}`
}

const nothing = (): void => {}
const base64 = (text: string): string => Buffer.from(text).toString('base64')
