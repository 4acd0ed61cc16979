/**
 * A listener: sockets, TLS and the SMTP line protocol from smtp-server, the conversation from `session.ts`, the
 * message to `reception`. Only this file knows smtp-server. Of that library it keeps what is hard to get
 * right (accepting, lines, STARTTLS without injection, idle timeouts, half-closed sockets) and replaces its
 * command handlers, which rewrite addresses, accept unknown parameters and answer errors of ours with 550.
 * The places where it takes hold of the library are the `override`s here; tests hold each to what it does.
 *
 * It guarantees: every command gets one reply; a message is answered only by `reception`; nobody is
 * answered 5yz for a fault of ours; no client holds a session longer, or sends more, than the limits say.
 */
import { constants } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js'
import type { Clock } from '../clock.ts'
import type { Config, ListenerConfig } from '../config/schema.ts'
import type { RecordEvent } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { ProtocolLogs } from '../observe/protocol-log/protocol-logs.ts'
import type { ProtocolSession } from '../observe/protocol-log/protocol-session.ts'
import { formatReply, isPositive, localError, permanent, type Reply, temporary } from '../reply.ts'
import { AllowedNetworks, clientAddress } from './access.ts'
import { Authentication } from './authentication.ts'
import { CertificateWatch, type KeyPair, readKeyPair, selfSignedKeyPair } from './certificate.ts'
import { Content } from './content.ts'
import { DotReader } from './dot-reader.ts'
import { type Answer, SmtpSession } from './session.ts'
import { SessionLimits } from './session-limits.ts'
import type { Reception, Transaction } from './transaction.ts'

export interface ListenerDeps {
  readonly hostname: string
  readonly dataDir: string
  readonly access: Config['access']
  readonly reception: Reception
  readonly record: RecordEvent
  readonly log: Log
  readonly clock: Clock
  /** For listeners that are to log their dialogues. */
  readonly protocolLogs?: ProtocolLogs
}

export interface Listener {
  readonly name: string
  readonly address: string
  readonly port: number
  /** Whether TLS can be had here, by STARTTLS or from the first byte. */
  readonly tls: boolean
  /** Open now. */
  readonly sessions: number
  /**
   * Accepts nobody from now on, says 421 to who is not sending a message, and lets those who are finish.
   * What is left after the deadline is cut off: a message still coming in with 421, one that is being stored
   * without a reply, because none would be true.
   */
  stop(deadlineMs: number): Promise<void>
}

/** Resolves when the port is open. Rejects where it cannot be, or the certificate is not usable. */
export async function startListener(config: ListenerConfig, deps: ListenerDeps): Promise<Listener> {
  const certificate = config.tls === 'off' ? null : await certificateFor(config, deps)
  const listener = new SmtpListener(config, deps, certificate)
  await listener.open()
  return listener
}

function certificateFor(config: ListenerConfig, deps: ListenerDeps): Promise<KeyPair> {
  if (config.certificate !== null) return readKeyPair(config.certificate)
  const ownNames = config.certificateNames.length > 0
  return selfSignedKeyPair({
    dataDir: deps.dataDir,
    // One certificate for all listeners; one with names of its own has its own, or they would replace each other's.
    file: ownNames ? `certificate-${config.name}.pem` : 'certificate.pem',
    names: [deps.hostname, ...config.certificateNames],
    now: deps.clock.now(),
  })
}

/** Beside the sessions: sockets that are told that there are too many. Beyond, they are closed without a word. */
const socketsToRefuse = 200

class SmtpListener implements Listener {
  readonly name: string
  readonly tls: boolean
  readonly #config: ListenerConfig
  readonly #deps: ListenerDeps
  readonly #server: Server
  readonly #limits: SessionLimits
  readonly #connections = new Set<Connection>()
  readonly #context: ConnectionContext
  #watch: CertificateWatch | null = null
  #stopped: Promise<void> | null = null

  constructor(config: ListenerConfig, deps: ListenerDeps, certificate: KeyPair | null) {
    this.name = config.name
    this.tls = certificate !== null
    this.#config = config
    this.#deps = deps
    this.#limits = new SessionLimits(config)
    this.#context = {
      ...deps,
      listener: config,
      networks: new AllowedNetworks(deps.access.networks),
      fromField: deps.access.fromField,
      authentication: new Authentication(deps.access.users, { clock: deps.clock }),
      closed: (connection) => this.#closed(connection),
    }
    this.#server = new Server(serverOptions(config, { ...deps, certificate }), {
      accept: (socket, options) => this.#accept(socket, options),
      maxHandshakesPerAddress: config.maxSessionsPerAddress,
    })
    this.#server.server.maxConnections = config.maxSessions + socketsToRefuse
  }

  get address(): string {
    return (this.#server.server.address() as AddressInfo | null)?.address ?? this.#config.address
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo | null)?.port ?? this.#config.port
  }

  get sessions(): number {
    return this.#limits.count
  }

  async open(): Promise<void> {
    this.#server.on('error', (error) => this.#note(error))
    const opened = once(this.#server.server, 'listening')
    this.#server.listen(this.#config.port, this.#config.address)
    await opened
    await this.#watchCertificate()
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs)
    return this.#stopped
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#watch?.stop()
    const closed = new Promise<void>((resolve) => this.#server.server.close(() => resolve()))
    for (const socket of this.#server._pendingSockets.values()) socket.destroy()
    for (const connection of this.#connections) connection.finish()
    const deadline = setTimeout(() => {
      for (const connection of this.#connections) connection.cutOff()
    }, deadlineMs)
    await closed
    clearTimeout(deadline)
  }

  #accept(socket: Socket, options: SMTPConnectionOptions | null): void {
    // What smtp-server accepts reaches us one turn later; by then the client or the listener may be gone.
    if (this.#stopped !== null || socket.destroyed || socket.remoteAddress === undefined) {
      socket.destroy()
      return
    }
    const client = clientAddress(socket.remoteAddress)
    const refusal = this.#limits.open(client)
    if (refusal !== null) {
      this.#refuse(socket, client, refusal)
      return
    }
    const connection = new Connection(this.#server, socket, { ...options, client, context: this.#context })
    this.#server.connections.add(connection)
    this.#connections.add(connection)
    connection.on('error', (error) => this.#note(error))
    connection.init()
  }

  #refuse(socket: Socket, address: string, reply: Reply): void {
    const client = { address, listener: this.name, user: null }
    this.#deps.record({ event: 'rejected', command: 'CONNECT', client, from: null, to: null, reply })
    if (this.#config.protocolLogging === 'verbose')
      this.#deps.protocolLogs?.receive(this.name, socket).refused(formatReply(reply))
    socket.write(`${formatReply(reply)}\r\n`)
    socket.destroySoon()
  }

  #closed(connection: Connection): void {
    if (this.#connections.delete(connection)) this.#limits.close(connection.client)
  }

  async #watchCertificate(): Promise<void> {
    const { certificate, tls, name: listener } = this.#config
    const { log } = this.#deps
    if (certificate === null || tls === 'off') return
    this.#watch = await CertificateWatch.start(certificate, {
      onChange: (pair) => {
        this.#server.updateSecureContext(pair)
        log.info({ listener }, 'The certificate has been read again')
      },
      onError: (error) =>
        log.error({ listener, err: error }, 'The certificate cannot be used, the one before stays'),
    })
  }

  #note(error: NodeJS.ErrnoException & { remoteAddress?: string }): void {
    const { message: reason, remoteAddress: client } = error
    const { log } = this.#deps
    // Why the port cannot be opened is told to whoever asked for it.
    if (error.syscall === 'listen') return
    if (error.syscall === 'accept') log.error({ listener: this.name, reason }, 'Cannot accept connections')
    // A client that went away, or failed at TLS: nothing of it is ours to answer.
    else log.info({ listener: this.name, client, reason }, 'A connection broke')
  }
}

function serverOptions(
  config: ListenerConfig,
  options: { hostname: string; certificate: KeyPair | null },
): SMTPServerOptions {
  return {
    ...options.certificate,
    name: options.hostname,
    secure: config.tls === 'implicit',
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    socketTimeout: config.idleTimeout,
    maxClients: config.maxSessions,
    hideENHANCEDSTATUSCODES: false,
    disableReverseLookup: true,
    logger: false,
    onConnect: (_session, callback) => callback(),
    onSecure: (_socket, _session, callback) => callback(),
  }
}

interface ServerOptions {
  accept(socket: Socket, options: SMTPConnectionOptions | null): void
  readonly maxHandshakesPerAddress: number
}

/** smtp-server with our connections. */
class Server extends SMTPServer {
  readonly #ours: ServerOptions

  constructor(options: SMTPServerOptions, ours: ServerOptions) {
    super(options)
    this.#ours = ours
  }

  override connect(socket: Socket, options?: SMTPConnectionOptions | null): void {
    this.#ours.accept(socket, options ?? null)
  }

  /** A TLS handshake is no session yet, so the limit per address is kept for it apart. */
  override _acceptSocket(socket: Socket, handshake: boolean): (() => void) | false {
    // Until somebody else listens, an error would end the process.
    socket.on('error', ignoreBrokenSocket)
    if (handshake && this.#handshakesFrom(socket.remoteAddress) >= this.#ours.maxHandshakesPerAddress) {
      socket.destroy()
      return false
    }
    return super._acceptSocket(socket, handshake)
  }

  #handshakesFrom(address: string | undefined): number {
    let count = 0
    for (const pending of this._pendingSockets.keys()) if (pending.remoteAddress === address) count++
    return count
  }
}

interface ConnectionContext {
  readonly listener: ListenerConfig
  readonly hostname: string
  readonly networks: AllowedNetworks
  readonly fromField: Config['access']['fromField']
  readonly authentication: Authentication
  readonly reception: Reception
  readonly record: RecordEvent
  readonly log: Log
  readonly protocolLogs?: ProtocolLogs
  closed(connection: Connection): void
}

/** One socket: lines to the session, its answers back, the content of a message to reception. */
class Connection extends SMTPConnection {
  /** In the form of `clientAddress`. */
  readonly client: string
  readonly #context: ConnectionContext
  readonly #session: SmtpSession
  readonly #deadline: NodeJS.Timeout
  /** The socket on top: during a TLS handshake it is not the library's yet. */
  #topSocket: Socket
  /** Of the message under way, from 354 to its reply. */
  #content: Content | null = null
  /** What the client gets once the message under way has its reply. */
  #farewell: Reply | null = null
  /** Replies that are gathered. */
  #replies = ''
  /** Null where the dialogue is not logged. */
  readonly #protocol: ProtocolSession | null = null

  constructor(
    server: Server,
    socket: Socket,
    options: SMTPConnectionOptions & { client: string; context: ConnectionContext },
  ) {
    super(server, socket, options)
    const { client, context } = options
    this.client = client
    this.#context = context
    this.#topSocket = socket
    this.#session = new SmtpSession({
      id: this.id,
      address: client,
      networkSenders: context.networks.sendersOf(client),
      fromField: context.fromField,
      listener: context.listener,
      hostname: context.hostname,
      authentication: context.authentication,
      reception: context.reception,
      record: context.record,
    })
    this.#deadline = setTimeout(() => this.#end(sessionOver), context.listener.sessionTimeout)
    if (context.listener.protocolLogging === 'verbose')
      this.#protocol = context.protocolLogs?.receive(context.listener.name, socket) ?? null
    if (this.#protocol !== null) this.on('error', (error: Error) => this.#protocol?.note(error.message))
  }

  /** The listener stops: a message under way gets its reply first. */
  finish(): void {
    this.#end(shuttingDown)
  }

  /** The listener's time is up. */
  cutOff(): void {
    if (this.#content !== null && !this.#content.ended) this.#reply({ reply: shuttingDown })
    setImmediate(() => this.#topSocket.destroy())
  }

  /**
   * The library waits 100 ms here, to catch clients that speak before the greeting. Ours are known clients,
   * and one that connects for each message would get ten messages a second.
   */
  override init(): void {
    this._setListeners(() => this.connectionReady())
  }

  /** Called when a session begins anew, which by our handlers is only at the start and after STARTTLS. */
  override _resetSession(): void {
    super._resetSession()
    if (!this.secure) return
    this.#session.secured(describeTls(this._socket as TLSSocket))
    this.#protocol?.secured(this._socket as TLSSocket)
  }

  override _createParser(): SMTPStream {
    const parser = new Parser()
    parser.oncommand = (command, callback) => this._onCommand(command, callback)
    parser.on('error', () => this.#dismiss(lineTooLong))
    return parser
  }

  override _onCommand(command: Buffer, callback?: () => void): void {
    // The library's call without a callback is a line that the end of the connection cut off: not a command.
    if (callback === undefined) return
    const resume = () => this._whenWritable(callback)
    // What came in clear behind STARTTLS is dropped unread (RFC 3207 §5).
    if (this._upgrading || this._closing || this._closed) {
      resume()
      return
    }
    this.#protocol?.command(command)
    const answer = this.#ask(command)
    if (answer instanceof Promise) void this.#answerLater(answer, resume)
    else this.#answer(answer, resume)
  }

  /** The library's own replies: its greeting, and what it says to clients that are idle. */
  override send(code: number, data: string | string[], context?: string | false): void {
    this.#flush()
    const enhanced = this._getEnhancedStatusCode(code, context)
    if (this.#canReply) this.#logReply({ code, enhanced, lines: [data].flat() })
    super.send(code, data, context)
  }

  override close(): void {
    this.#flush()
    super.close()
  }

  override _armTimeout(socket?: Socket): void {
    this.#topSocket = socket ?? this._socket
    super._armTimeout(this.#topSocket)
  }

  override _onTimeout(): void {
    // The client is silent as we do not read, or have not answered: the store is slow, and the client not to blame.
    if (this.#content?.paused || this.#content?.ended) this._armTimeout()
    else super._onTimeout()
  }

  override _onClose(): void {
    clearTimeout(this.#deadline)
    this.#protocol?.closed(this._closing ? 'Local' : 'Remote')
    this.#content?.cutOff()
    super._onClose()
    this.#context.closed(this)
  }

  #ask(command: Buffer): Answer | Promise<Answer> {
    try {
      return this.#session.command(command)
    } catch (error) {
      return this.#fault(error)
    }
  }

  async #answerLater(answer: Promise<Answer>, resume: () => void): Promise<void> {
    // So that the library does not call the client idle while it waits for us.
    this._handlerPending = true
    const answered = await answer.catch((error: unknown) => this.#fault(error))
    this._handlerPending = false
    if (!this._closing && !this._closed) this.#answer(answered, resume)
  }

  #fault(error: unknown): Answer {
    this.#context.log.error({ err: error, session: this.id }, 'A command could not be answered')
    return { reply: localError }
  }

  #answer(answer: Answer, resume: () => void): void {
    this.#reply(answer)
    if (answer.next === 'starttls') {
      this.#flush()
      this.upgrade(resume)
      return
    }
    if (answer.next === 'data') this.#receive()
    if (answer.next === 'close') this.close()
    resume()
  }

  /** Replies to commands that came in one flight leave in one write: each write is a system call. */
  #reply(answer: Answer): void {
    const { code, enhanced, text } = answer.reply
    if (this.#canReply) {
      if (this.#protocol !== null)
        this.#logReply({ code, enhanced: enhanced ?? '', lines: [text, ...(answer.lines ?? [])] })
      if (this.#replies === '') process.nextTick(() => this.#flush())
      this.#replies += asSent(answer)
    }
    if (code === 421) this.close()
  }

  /** In the middle of a TLS handshake nothing can be said. */
  get #canReply(): boolean {
    return !this._upgrading && this._socket.readyState === 'open'
  }

  #flush(): void {
    const replies = this.#replies
    this.#replies = ''
    if (replies !== '' && this._socket.writable) this._socket.write(replies)
  }

  #logReply({ code, enhanced, lines }: { code: number; enhanced: string; lines: readonly string[] }): void {
    const user = code === 235 ? this.#session.userName : null
    if (user !== null) this.#protocol?.authenticated(user)
    const said = lines.map((line) => [code, enhanced, line].filter(Boolean).join(' '))
    this.#protocol?.reply(said.join('\n'))
  }

  #receive(): void {
    const transaction = this.#session.transaction
    const parser = this._parser
    if (transaction === null || !(parser instanceof Parser)) return
    this.#content = new Content()
    parser.readMessage(this.#content)
    void this.#complete(transaction, { parser, content: this.#content })
  }

  async #complete(transaction: Transaction, message: { parser: Parser; content: Content }): Promise<void> {
    const { reception, listener } = this.#context
    const { parser, content } = message
    let reply: Reply
    try {
      reply = await reception.message(transaction, content, listener)
      if (isPositive(reply) && !content.ended) throw new Error('A message was accepted before its end')
    } catch (error) {
      this.#context.log.error({ err: error, session: this.id }, 'A message could not be received')
      reply = localError
    }
    // Who is refused early is read to the final dot all the same, since many clients listen only then. But not for ever.
    const rest = content.ended ? 'ended' : await content.discard(listener.maxMessageSize)
    this.#content = null
    this.#protocol?.note(`received ${parser.dataBytes} octets of content`)
    this.#session.endTransaction({ accepted: isPositive(reply) })
    if (rest === 'failed' || this._closed) return
    this.#reply({ reply })
    if (rest === 'too-much') this.#stopReading()
    else if (this.#farewell !== null) this.#dismiss(this.#farewell)
    else parser.continue()
  }

  #end(farewell: Reply): void {
    this.#farewell ??= farewell
    if (this.#content === null || (farewell === sessionOver && !this.#content.ended)) this.#dismiss(farewell)
  }

  #dismiss(reply: Reply): void {
    if (this._upgrading) {
      // In the middle of a handshake there is no way to say anything.
      this.#topSocket.destroy()
      return
    }
    if (!this._closing && !this._closed) this.#reply({ reply })
    this.close()
    this.#topSocket.destroySoon()
  }

  /**
   * A socket closed with octets unread makes some clients forget the reply they have not read yet, so a flood is
   * held where it is until the library's timer for half-closed connections ends it.
   */
  #stopReading(): void {
    this.close()
    this.#topSocket.pause()
  }
}

/** Then it is others' turn: a flight of commands must not keep them waiting. */
const mostCommandsInTurn = 100
const LF = 0x0a
const CR = 0x0d
const nothing = Buffer.alloc(0)

type Done = (error?: Error | null) => void

/**
 * smtp-server's parser with our reading, of octets as they are: of the commands, and of the data, which goes to a
 * `Content` instead of a stream.
 */
class Parser extends SMTPStream {
  /** Of what was read: commands that were not taken up yet, or the beginning of one. */
  #input: Buffer = nothing
  #message: { readonly reader: DotReader; readonly content: Content } | null = null
  /** Reads what came behind the final dot. */
  #resume: (() => void) | null = null

  /** What comes next is content, to the final dot; then nothing is read until `continue`. */
  readMessage(content: Content): void {
    this.#message = { reader: new DotReader(), content }
    this._dataMode = true
    this.dataBytes = 0
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | 'buffer', done: Done): void {
    if (this._dataMode && !this.isClosed) {
      this._feedDataStream(chunk, done)
      return
    }
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    this.#readCommands(done)
  }

  /** A command whose answer takes time is the last of its turn; its answer begins another. */
  #readCommands(done: Done): void {
    for (let commands = 0; commands < mostCommandsInTurn; commands++) {
      const line = this.#nextLine(done)
      if (line === null) return
      let state: 'asked' | 'answered' | 'waiting' = 'asked'
      this.oncommand(line, () => {
        if (state === 'waiting') this.#readCommands(done)
        else state = 'answered'
      })
      if (state === 'asked') {
        state = 'waiting'
        return
      }
    }
    setImmediate(() => this.#readCommands(done))
  }

  /** Without its line end; null where what was read holds no further command, of which `done` is told. */
  #nextLine(done: Done): Buffer | null {
    const input = this.#input
    if (this.isClosed || this._dataMode) {
      this.#input = nothing
      if (this.isClosed || input.length === 0) done()
      else this._feedDataStream(input, done)
      return null
    }
    const lineFeed = input.indexOf(LF)
    const isWhole = lineFeed !== -1
    const end = isWhole && input[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed
    if ((isWhole ? end : input.length) > this._maxCommandLength) {
      this.#input = nothing
      done(this._commandTooLong())
      return null
    }
    if (!isWhole) {
      done()
      return null
    }
    this.#input = lineFeed + 1 === input.length ? nothing : input.subarray(lineFeed + 1)
    return input.subarray(0, end)
  }

  override _feedDataStream(chunk: Buffer, done: Done): void {
    const { reader, content } = this.#message!
    const piece = reader.write(chunk)
    this.dataBytes += piece.content.length
    if (piece.rest === null) {
      content.push(piece.content, done)
      return
    }
    const { rest } = piece
    this._dataMode = false
    this.#message = null
    this.#resume = () => this._write(rest, 'buffer', done)
    content.end(piece.content)
  }

  override continue(): void {
    const resume = this.#resume
    this.#resume = null
    resume?.()
  }
}

const shuttingDown = temporary('3.2', 'Service shutting down', 421)
const sessionOver = temporary('4.2', 'The session has lasted too long', 421)
const lineTooLong = permanent('5.2', 'Line too long', 500)

/** RFC 5321 §4.2.1. Line ends are ours alone: what a text holds of controls cannot make another reply of it. */
function asSent({ reply, lines }: Answer): string {
  if (lines === undefined) return `${withoutControls(formatReply(reply))}\r\n`
  const all = [reply.text, ...lines].map((text) => withoutControls(formatReply({ ...reply, text })))
  const last = all.pop()!
  return `${all.map((line) => `${line.slice(0, 3)}-${line.slice(4)}\r\n`).join('')}${last}\r\n`
}

const control = /[\u0000-\u001f\u007f-\u009f]/
const controls = new RegExp(control, 'g')
const withoutControls = (text: string): string => (control.test(text) ? text.replace(controls, ' ') : text)

const ignoreBrokenSocket = (): void => {}

function describeTls(socket: TLSSocket): string {
  return `${socket.getProtocol()} ${socket.getCipher().name}`
}
