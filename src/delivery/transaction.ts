/**
 * One mail transaction with a smart host (RFC 5321 §3.3): MAIL, RCPT, DATA, the body, the final dot. It knows at
 * every moment what the host may have taken, and so what an end of the connection means:
 *
 * - `envelope`: nothing was handed over. A lost connection is no answer to the message.
 * - `data`: the body is under way without its final dot: still nothing was handed over.
 * - `dot`: the final dot has left. The host may have the message; only its reply tells.
 *
 * Replies are matched to commands strictly: 2yz before the dot has left is not a success, 250 is no answer to
 * DATA, 354 none to the dot, and lines of different codes are no reply.
 */
import {
  isPermanent,
  isPositive,
  isTemporary,
  parseReply,
  printable,
  type Reply,
  temporary,
} from '../reply.ts'
import type { Attempt, ConnectionFault } from './attempt.ts'
import { envelopeCommands } from './envelope-commands.ts'
import type { Extensions, OutgoingMessage } from './extensions.ts'
import type { TransmitOptions } from './message-data.ts'

/** What a transaction needs of the connection below it. */
export interface Wire {
  /** The host, as attempts name it. */
  readonly host: string
  readonly extensions: Extensions
  /** Writes commands, each with its CRLF, in one write. */
  write(commands: string): void
  /** Hands the next reply to `take`; replies come in the order in which they were asked for. */
  expect(take: (raw: string) => void): void
  /** The host has said something already that nobody expects yet. */
  readonly overheard: boolean
  /** Replaces the deadline: without an end of the transaction or another deadline until then, the connection breaks. */
  allow(step: 'command' | 'block' | 'dot'): void
  /** Writes the body with its final dot. Rejects where the body or the connection failed. */
  transmit(body: Buffer | AsyncIterable<Buffer>, options: TransmitOptions): Promise<void>
}

export interface TransactionResult {
  readonly attempt: Attempt
  /** What the next transaction finds: nothing in its way, a transaction to RSET, or a connection not to be trusted. */
  readonly leaves: 'idle' | 'transaction' | 'broken'
}

type Phase = 'envelope' | 'data' | 'dot' | 'over'

export class Transaction implements TransmitOptions {
  readonly #wire: Wire
  readonly #message: OutgoingMessage
  readonly #body: Buffer | AsyncIterable<Buffer>
  readonly #commands: readonly string[]
  /** Replies to the commands so far, in their order. */
  readonly #replies: Reply[] = []
  #phase: Phase = 'envelope'
  #resolve: (result: TransactionResult) => void = () => {}

  constructor(wire: Wire, message: OutgoingMessage, body: Buffer | AsyncIterable<Buffer>) {
    this.#wire = wire
    this.#message = message
    this.#body = body
    const commands = envelopeCommands(message, wire.extensions)
    commands.push('DATA')
    this.#commands = commands
  }

  run(): Promise<TransactionResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      if (this.#wire.extensions.pipelining) this.#sendAll()
      else this.#send(this.#commands[0]!)
    })
  }

  /** The connection is gone; `reason` completes "Connection lost: …". */
  broke(reason: string): void {
    if (this.#phase !== 'over') this.#end(this.#brokenOff(reason))
  }

  /** RFC 2920: the whole envelope and DATA in one flight; the replies are judged when DATA is answered. */
  #sendAll(): void {
    this.#wire.allow('command')
    this.#wire.write(`${this.#commands.join('\r\n')}\r\n`)
    for (let i = 0; i < this.#commands.length; i++) this.#wire.expect(this.#answered)
  }

  #send(command: string): void {
    this.#wire.allow('command')
    this.#wire.write(`${command}\r\n`)
    this.#wire.expect(this.#answered)
  }

  readonly #answered = (raw: string): void => {
    if (this.#phase !== 'envelope') return
    this.#wire.allow('command')
    const result = this.#judge(raw)
    const next = this.#replies.length
    if (result !== null) this.#end(result)
    else if (next === this.#commands.length) void this.#transmit()
    else if (!this.#wire.extensions.pipelining) this.#send(this.#commands[next]!)
  }

  async #transmit(): Promise<void> {
    this.#enter('data')
    this.#wire.expect(this.#finished)
    this.#wire.allow('block')
    try {
      await this.#wire.transmit(this.#body, this)
      if (this.#phase === 'dot') this.#wire.allow('dot')
    } catch (error) {
      // A socket that failed says so itself; what is left is a body that could not be read to its end.
      const text = `Cannot read the stored message: ${printable((error as Error).message)}`
      if (this.#phase === 'data') this.#end(this.#lost(temporary('3.0', text)))
    }
  }

  // What `transmit` asks and tells

  get sizeBytes(): number {
    return this.#message.sizeBytes
  }

  onProgress(): void {
    if (this.#phase === 'data') this.#wire.allow('block')
  }

  onDot(): void {
    if (this.#phase !== 'data') throw new Error('The transaction is over')
    this.#enter('dot')
  }

  readonly #finished = (raw: string): void => {
    if (this.#phase !== 'over') this.#end(this.#judgeFinal(raw))
  }

  #enter(phase: Phase): void {
    this.#phase = phase
  }

  #end(result: TransactionResult): void {
    this.#phase = 'over'
    this.#resolve(result)
  }

  // What replies mean: null where the transaction goes on

  #judge(raw: string): TransactionResult | null {
    const index = this.#replies.length
    const isData = index === this.#commands.length - 1
    const reply = strictReply(raw)
    const goAhead = reply !== null && (isData ? reply.code === 354 : isPositive(reply))
    if (reply === null || !(goAhead || isRefusal(reply)))
      return this.#nonsense(raw, this.#commands[index]!.split(' ')[0]!)
    if (aboutLogin.has(reply.code)) return this.#lost(reply, 'auth-refused')
    // RFC 5321 §3.8: the host goes away. At MAIL that says nothing about the message, later it may.
    if (reply.code === 421) return index === 0 ? this.#lost(reply) : this.#refused(reply, 'broken')
    this.#replies.push(index === 0 || isData ? reply : recipientReply(reply))
    if (isData) return this.#judgeData(reply)
    return this.#wire.extensions.pipelining ? null : this.#judgeEnvelope(index)
  }

  /** Without PIPELINING: whether the next command has a point. */
  #judgeEnvelope(index: number): TransactionResult | null {
    const mail = this.#replies[0]!
    if (!isPositive(mail)) return this.#refused(mail, 'idle')
    const isLastRecipient = index === this.#message.recipients.length
    if (isLastRecipient && !this.#anyAccepted()) return this.#byRecipient(mail, 'transaction')
    return null
  }

  #judgeData(data: Reply): TransactionResult | null {
    const mail = this.#replies[0]!
    const goAhead = data.code === 354
    // A host that takes DATA without a sender or recipient waits for a body that must not be sent: hang up.
    if (!isPositive(mail)) return this.#refused(mail, goAhead ? 'broken' : 'idle')
    if (!this.#anyAccepted()) return this.#byRecipient(mail, goAhead ? 'broken' : 'transaction')
    if (!goAhead) return this.#refused(data, 'transaction')
    return this.#wire.overheard ? this.#nonsense('more than one reply', 'DATA') : null
  }

  /** The reply after DATA was let through: to the final dot, or one that comes before it. */
  #judgeFinal(raw: string): TransactionResult {
    const reply = strictReply(raw)
    const early = this.#phase === 'data'
    if (reply && isRefusal(reply))
      return this.#refused(reply, early || reply.code === 421 ? 'broken' : 'idle')
    if (early) return this.#nonsense(raw, 'a message that was still being sent')
    if (reply && isPositive(reply)) return this.#byRecipient(reply, 'idle')
    return this.#uncertain(`The smart host answered the final dot with ${quote(raw)}`)
  }

  #brokenOff(reason: string): TransactionResult {
    if (this.#phase === 'dot') return this.#uncertain(`Connection lost: ${reason}`)
    // What the host said about this message before it hung up stands: a retry would only hear it again.
    const mail = this.#replies[0]
    if (mail && !isPositive(mail)) return this.#refused(mail, 'broken')
    if (mail && this.#recipientReplies().length === this.#message.recipients.length && !this.#anyAccepted())
      return this.#byRecipient(mail, 'broken')
    return this.#lost(temporary('4.2', `Connection lost: ${reason}`))
  }

  // The results

  /** Refused recipients keep their own reply, the others get `accepted`. */
  #byRecipient(accepted: Reply, leaves: TransactionResult['leaves']): TransactionResult {
    const replies = this.#recipientReplies().map((reply) => (isPositive(reply) ? accepted : reply))
    return { attempt: { scope: 'recipients', host: this.#wire.host, replies }, leaves }
  }

  #refused(reply: Reply, leaves: TransactionResult['leaves']): TransactionResult {
    const { host } = this.#wire
    return {
      attempt: { scope: 'message', host, reply, refused: this.#refusals(), uncertain: false },
      leaves,
    }
  }

  #uncertain(text: string): TransactionResult {
    const { host } = this.#wire
    const reply = temporary('4.2', text)
    return {
      attempt: { scope: 'message', host, reply, refused: this.#refusals(), uncertain: true },
      leaves: 'broken',
    }
  }

  #nonsense(raw: string, command: string): TransactionResult {
    return this.#lost(temporary('5.0', `The smart host answered ${command} with ${quote(raw)}`))
  }

  #lost(reply: Reply, fault: ConnectionFault = 'lost'): TransactionResult {
    return { attempt: { scope: 'connection', fault, host: this.#wire.host, reply }, leaves: 'broken' }
  }

  #recipientReplies(): readonly Reply[] {
    return this.#replies.slice(1, 1 + this.#message.recipients.length)
  }

  #anyAccepted(): boolean {
    return this.#recipientReplies().some(isPositive)
  }

  /** Only what was said to a recipient of a sender the host had accepted is about the recipient. */
  #refusals(): ReadonlyMap<number, Reply> {
    const refusals = new Map<number, Reply>()
    if (!this.#replies[0] || !isPositive(this.#replies[0])) return refusals
    for (const [index, reply] of this.#recipientReplies().entries())
      if (!isPositive(reply)) refusals.set(index, reply)
    return refusals
  }
}

/**
 * The login is missing or not good enough (RFC 4954 §6, RFC 3207 §4). That is said to the connector, by
 * whatever command it comes out, and not about this message.
 */
const aboutLogin: ReadonlySet<number> = new Set([530, 534, 535, 538])

const isRefusal = (reply: Reply): boolean => isTemporary(reply) || isPermanent(reply)

/** A reply whose lines all carry one code (RFC 5321 §4.2.1); else null. */
function strictReply(raw: string): Reply | null {
  if (raw.includes('\n')) {
    const code = raw.slice(0, 3)
    if (!raw.split(/\r?\n/).every((line) => line.startsWith(code))) return null
  }
  return parseReply(raw)
}

/** RFC 5321 §4.5.3.1.10: 552 for too many recipients is from an old standard and means 452. */
function recipientReply(reply: Reply): Reply {
  const tooMany =
    reply.code === 552 && (reply.enhanced === '5.5.3' || /too many recipients/i.test(reply.text))
  return tooMany ? temporary('5.3', reply.text, 452) : reply
}

const quote = (raw: string): string => JSON.stringify(printable(raw.slice(0, 200)))
