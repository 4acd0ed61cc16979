/**
 * A connection over which MAIL may be sent. It carries one transaction at a time; whatever ends other than by
 * the rules (a deadline, a reply out of place, a body that broke off) ends the connection with it.
 */
import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Log } from '../observe/log.ts'
import type { ProtocolSession } from '../observe/protocol-log/protocol-session.ts'
import { localError, type Reply, temporary } from '../reply.ts'
import type { Attempt } from './attempt.ts'
import { Deadline } from './deadline.ts'
import { type Extensions, misfit, type OutgoingMessage } from './extensions.ts'
import { type HostError, reasonOf } from './faults.ts'
import { type TransmitOptions, transmit } from './message-data.ts'
import { Transaction, type TransactionResult, type Wire } from './transaction.ts'

export interface SmartHostConnection {
  /** For logs and attempts: name, address and port. */
  readonly host: string
  /** False once it broke, or must not be used again. */
  readonly usable: boolean
  /** Transactions begun. */
  readonly messages: number
  /** Null in clear. */
  readonly tls: TLSSocket | null
  /** Whether the host reports on delivery itself (RFC 3461): where not, a `relayed` report is ours to make. */
  readonly offersDsn: boolean
  /** One transaction at a time. Never rejects. */
  send(message: OutgoingMessage, body: Buffer | AsyncIterable<Buffer>): Promise<Attempt>
  /** Takes leave with QUIT, within a short time. */
  quit(): Promise<void>
  close(): void
}

/** RFC 5321 §4.5.3.2; opening is cut shorter, because another host may be waiting for its turn. */
export interface Timeouts {
  /** Connect, greeting, EHLO, TLS and AUTH together. */
  readonly openMs: number
  readonly commandMs: number
  /** Without a piece of the body being taken. */
  readonly blockMs: number
  readonly dotMs: number
  readonly quitMs: number
}

/** What is used of nodemailer's SMTPConnection once it is open; the rest of it is not in its types. Its version is pinned. */
export interface SmtpSession extends EventEmitter {
  readonly destroyed: boolean
  readonly options: { readonly transactionLog?: boolean | undefined }
  quit(): void
  close(): void
  /** Who waits for a reply, in the order of the commands. */
  readonly _responseActions: ((reply: string) => void)[]
  /** Replies nobody has taken yet, and the beginning of the next one. */
  readonly _responseQueue: string[]
  readonly _remainder: string
  /** Hands the next reply to who waits for it. */
  _processResponse: () => void
}

export interface HostConnectionOptions {
  readonly socket: Socket
  readonly host: string
  readonly extensions: Extensions
  readonly timeouts: Timeouts
  readonly log: Log
  readonly protocol: ProtocolSession | null
}

/** Who ended a connection, as far as its socket knows. */
export function endedBy(socket: Socket | null): 'Local' | 'Remote' {
  return socket !== null && (socket.readableEnded || socket.errored !== null) ? 'Remote' : 'Local'
}

/** The code of RFC 8689, but temporary: a host may learn TLS before the message expires. */
const tlsMissing = temporary('7.30', 'The message requires TLS, which the smart host does not offer')

const hostClosed = 'the smart host closed it'

export class HostConnection implements SmartHostConnection, Wire {
  readonly host: string
  readonly extensions: Extensions
  readonly #smtp: SmtpSession
  readonly #socket: Socket
  readonly #timeouts: Timeouts
  readonly #log: Log
  /** Replies are overheard where nodemailer reads them; only what is said here is told here. */
  readonly #protocol: ProtocolSession | null
  readonly #deadline: Deadline
  /** Who takes the next replies. */
  readonly #expected: ((raw: string) => void)[] = []
  #messages = 0
  /** Who is waiting for a reply and must hear that none will come. */
  #waiting: { broke(reason: string): void } | null = null
  /** The host still holds a refused transaction open: RSET comes before the next MAIL. */
  #needsReset = false
  #closed = false

  constructor(smtp: SmtpSession, options: HostConnectionOptions) {
    this.#smtp = smtp
    this.#socket = options.socket
    this.host = options.host
    this.extensions = options.extensions
    this.#timeouts = options.timeouts
    this.#log = options.log
    this.#protocol = options.protocol
    const shortestMs = Math.min(...Object.values(options.timeouts))
    this.#deadline = new Deadline(() => this.#break('timed out'), {
      resolutionMs: Math.min(1000, shortestMs / 4),
    })
    // Who listens to nodemailer's log (the protocol log, a trial of the host) hears of replies from there.
    if (!smtp.options.transactionLog) answerAtOnce(smtp)
    smtp.on('error', (error: HostError) => this.#break(reasonOf(error)))
    smtp.on('end', () => this.#break(hostClosed))
  }

  get usable(): boolean {
    return !this.#closed && !this.#smtp.destroyed && this.#socket.writable
  }

  get messages(): number {
    return this.#messages
  }

  get tls(): TLSSocket | null {
    return this.#socket instanceof TLSSocket ? this.#socket : null
  }

  get offersDsn(): boolean {
    return this.extensions.dsn
  }

  async send(message: OutgoingMessage, body: Buffer | AsyncIterable<Buffer>): Promise<Attempt> {
    try {
      const unfit = message.requireTls && this.tls === null ? tlsMissing : misfit(message, this.extensions)
      if (unfit !== null)
        return { scope: 'message', host: this.host, reply: unfit, refused: new Map(), uncertain: false }
      if (this.#waiting !== null) throw new Error('A connection carries one transaction at a time')
      if (this.#needsReset && this.usable) await this.#reset()
      if (!this.usable) return this.#lost(temporary('4.2', 'Connection lost: the smart host closed it'))
      const { attempt, leaves } = await this.#begin(message, body).run()
      this.#ended(leaves)
      return attempt
    } catch (error) {
      this.#fail(error)
      return this.#lost(localError)
    }
  }

  async quit(): Promise<void> {
    if (!this.usable) return this.close()
    this.#closed = true
    const ended = new Promise<void>((resolve) => this.#smtp.once('end', resolve))
    this.#deadline.set(this.#timeouts.quitMs)
    this.#smtp.quit()
    await ended
    this.#deadline.end()
  }

  close(): void {
    this.#protocol?.closed('Local')
    this.#closed = true
    this.#deadline.end()
    this.#smtp.close()
    this.#socket.destroy()
  }

  // What a transaction needs

  write(commands: string): void {
    if (this.#protocol !== null)
      for (const command of commands.trimEnd().split('\r\n')) this.#protocol.command(command)
    this.#socket.write(commands)
  }

  expect(take: (raw: string) => void): void {
    this.#expected.push(take)
    this.#smtp._responseActions.push(this.#answered)
  }

  readonly #answered = (raw: string): void => {
    try {
      this.#expected.shift()!(raw)
    } catch (error) {
      this.#fail(error)
    }
  }

  get overheard(): boolean {
    return this.#smtp._responseQueue.length > 0 || this.#smtp._remainder !== ''
  }

  allow(step: 'command' | 'block' | 'dot'): void {
    this.#deadline.set(this.#timeouts[`${step}Ms`])
  }

  transmit(body: Buffer | AsyncIterable<Buffer>, options: TransmitOptions): Promise<void> {
    const protocol = this.#protocol
    if (protocol === null) return transmit(this.#socket, body, options)
    const { sizeBytes } = options
    const onDot = (): void => {
      options.onDot()
      protocol.note(`sending ${sizeBytes} octets of content`)
    }
    return transmit(this.#socket, body, { sizeBytes, onProgress: () => options.onProgress(), onDot })
  }

  // The rest

  #begin(message: OutgoingMessage, body: Buffer | AsyncIterable<Buffer>): Transaction {
    this.#messages++
    const { id, internetMessageId } = message
    this.#protocol?.note(
      `sending message with RecordId ${id} and InternetMessageId ${internetMessageId ?? ''}`,
    )
    const transaction = new Transaction(this, message, body)
    this.#waiting = transaction
    return transaction
  }

  #ended(leaves: TransactionResult['leaves']): void {
    this.#waiting = null
    this.#deadline.clear()
    this.#needsReset = leaves === 'transaction'
    if (leaves === 'broken') this.close()
  }

  /** Only before the next MAIL: the last refused message of a connection costs no round trip. */
  async #reset(): Promise<void> {
    const reply = await new Promise<string>((resolve) => {
      this.#waiting = { broke: resolve }
      this.allow('command')
      this.expect(resolve)
      this.write('RSET\r\n')
    })
    this.#waiting = null
    this.#needsReset = false
    if (!/^250[ -]/.test(reply)) this.close()
  }

  /** After QUIT, and after a 421, the end is ours and needs no reason. */
  #logEnd(reason: string): void {
    const by = this.#closed ? 'Local' : endedBy(this.#socket)
    if (!this.#closed && (by === 'Remote' || reason !== hostClosed)) this.#protocol?.note(reason)
    this.#protocol?.closed(by)
  }

  #lost(reply: Reply): Attempt {
    return { scope: 'connection', fault: 'lost', host: this.host, reply }
  }

  #fail(error: unknown): void {
    this.#log.error({ err: error, host: this.host }, 'cannot go on with a smart host')
    this.#break('an error of ours')
  }

  #break(reason: string): void {
    const waiting = this.#waiting
    this.#waiting = null
    this.#logEnd(reason)
    // After QUIT nodemailer closes with what TLS wants said at the end, and needs no help.
    if (!this.#smtp.destroyed || !this.#closed) this.close()
    waiting?.broke(reason)
  }
}

/** One line, in ASCII; what else there may be, and the 421 of a host that goes away, is nodemailer's to read. */
const usualReply = /^(?!421)[2-5]\d\d [\x20-\x7e]*$/

/**
 * nodemailer hands over one reply in a turn of the event loop; those to a flight of commands come together, and each
 * turn costs more than the reply.
 */
function answerAtOnce(smtp: SmtpSession): void {
  const read = smtp._processResponse
  smtp._processResponse = () => {
    while (
      !smtp.destroyed &&
      smtp._responseActions.length > 0 &&
      usualReply.test(smtp._responseQueue[0] ?? '')
    )
      smtp._responseActions.shift()!.call(smtp, smtp._responseQueue.shift()!)
    read.call(smtp)
  }
}
