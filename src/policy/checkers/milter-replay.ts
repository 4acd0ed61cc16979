/**
 * One message told to a filter, from the client's connection to the end of the message, as Postfix and Sendmail would
 * have told it while it came in; and what the filter makes of it.
 *
 * Our client has had its replies to RCPT by then. A recipient that the filter refuses is told by a DSN while others go
 * on. One that it defers defers the message for all: the client comes again with all of them, and nobody gets it
 * twice; the others are still asked about, so that a filter which greylists has seen them all at the first attempt.
 */
import { isIP } from 'node:net'
import type { EnvelopeRecipient } from '../../envelope.ts'
import type { Draft } from '../../message/draft.ts'
import { isTemporary, permanent, type Reply, temporary } from '../../reply.ts'
import type { Transaction } from '../../smtp/transaction.ts'
import type { CheckedMessage, CheckerVerdict } from './checker.ts'
import { ReplacedBody } from './milter-body.ts'
import { MilterChanges } from './milter-changes.ts'
import type { MilterConnection } from './milter-connection.ts'
import { MilterHeader } from './milter-header.ts'
import { Macros } from './milter-macros.ts'
import {
  abort,
  bodyChunk,
  type Change,
  command,
  connect,
  header,
  longestData,
  MilterError,
  type MilterReply,
  macros,
  quitNewClient,
  type Step,
} from './milter-protocol.ts'

/**
 * For whom the connection can be used again. libmilter takes another client only after a message that ended with
 * CONTINUE; after every other ending it waits for the next message of the same one, and hears nothing else.
 */
export type LeftFor = 'anyClient' | 'sameClient' | 'nobody'

type Ending =
  | { readonly kind: 'pass' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'refuse'; readonly reply: Reply }

const rejected = permanent('7.1', 'Message refused by a content check')
const deferred = temporary('7.1', 'Message deferred by a content check, please try again later')

export class Replay {
  readonly #connection: MilterConnection
  readonly #message: CheckedMessage
  readonly #macros: Macros
  readonly #header: MilterHeader
  readonly #refused = new Map<string, Reply>()
  #body: ReplacedBody | null = null
  /** The filter wants no more of this step. */
  #skipped: Step | null = null
  #left: LeftFor = 'nobody'

  constructor(connection: MilterConnection, options: { message: CheckedMessage; hostname: string }) {
    const { message, hostname } = options
    const { messageId, transaction, draft } = message
    this.#connection = connection
    this.#message = message
    this.#macros = new Macros({ hostname, messageId, transaction }, connection.negotiated)
    this.#header = new MilterHeader(draft.header, connection.negotiated)
  }

  get left(): LeftFor {
    return this.#left
  }

  async run(): Promise<CheckerVerdict> {
    try {
      const turnedAway = await this.#client()
      if (turnedAway !== null) return await this.#verdict(turnedAway)
      const ending = (await this.#envelope()) ?? (await this.#content())
      if (ending === null) return await this.#endOfMessage()
      this.#left = 'sameClient'
      this.#connection.tell(abort)
      return await this.#verdict(ending)
    } finally {
      this.#body?.abandon()
    }
  }

  /** What a filter decides here holds for all that the client sends: the connection is of no use any more. */
  async #client(): Promise<Ending | null> {
    const { session } = this.#message.transaction
    if (this.#connection.client === session) return null
    if (this.#connection.client !== null) await this.#connection.write(quitNewClient)
    this.#connection.client = session
    return (
      (await this.#ask('connect', connectionOf(session.client.address))) ??
      (await this.#ask('helo', command('helo', session.helo)))
    )
  }

  async #envelope(): Promise<Ending | null> {
    const { transaction } = this.#message
    const ending = await this.#ask('mail', command('mail', ...mailArguments(transaction)))
    if (ending !== null) return ending
    return (await this.#recipients(transaction.recipients)) ?? (await this.#ask('data', command('data')))
  }

  async #recipients(recipients: readonly EnvelopeRecipient[]): Promise<Ending | null> {
    let deferral: Ending | null = null
    for (const recipient of recipients) {
      const bytes = command('rcpt', ...rcptArguments(recipient))
      const ending = await this.#ask('rcpt', bytes, recipient.address)
      if (ending === null) continue
      if (ending.kind !== 'refuse') return deferral ?? ending
      if (isTemporary(ending.reply)) deferral ??= ending
      else this.#refused.set(recipient.address, ending.reply)
    }
    const [reply] = this.#refused.values()
    if (deferral !== null || reply === undefined) return deferral
    return this.#refused.size < recipients.length ? null : { kind: 'refuse', reply }
  }

  async #content(): Promise<Ending | null> {
    for (const { name, value } of this.#header.shown) {
      const ending = await this.#ask('header', header(name, value))
      if (ending !== null) return ending
    }
    const ending = await this.#ask('endOfHeader', command('endOfHeader'))
    return ending ?? (await this.#bodyChunks())
  }

  async #bodyChunks(): Promise<Ending | null> {
    if (!this.#connection.negotiated.sent.has('body')) return null
    for await (const chunk of this.#bodyAsShown()) {
      for (let at = 0; at < chunk.length; at += longestData) {
        const ending = await this.#ask('body', bodyChunk(chunk.subarray(at, at + longestData)))
        if (ending !== null) return ending
        if (this.#skipped === 'body') return null
      }
    }
    return null
  }

  async *#bodyAsShown(): AsyncIterable<Buffer> {
    yield this.#header.shownAsBody
    yield* this.#message.draft.body.read()
  }

  async #endOfMessage(): Promise<CheckerVerdict> {
    await this.#say('endOfMessage', command('endOfMessage'))
    const changes = new MilterChanges(this.#header, this.#accepted)
    for (;;) {
      const reply = await this.#connection.reply()
      if (isChange(reply)) await this.#change(changes, reply)
      else if (reply.kind !== 'progress') {
        const mayChangeClient = reply.kind === 'continue' && this.#connection.negotiated.version >= 6
        this.#left = mayChangeClient ? 'anyClient' : 'sameClient'
        return this.#verdict(endingOf(reply) ?? { kind: 'pass' }, changes)
      }
    }
  }

  async #change(changes: MilterChanges, change: Change): Promise<void> {
    changes.apply(change)
    if (change.kind !== 'replaceBody') return
    const { sizeBytes } = this.#message
    this.#body ??= new ReplacedBody({
      keep: (chunks) => this.#message.keep(chunks),
      // Whatever a filter adds to a message, it does not make something else of it.
      mostBytes: 4 * sizeBytes + 16 * 1024 * 1024,
    })
    await this.#body.write(change.piece)
  }

  /** Null where the message goes on. */
  async #ask(step: Step, bytes: Buffer, recipient: string | null = null): Promise<Ending | null> {
    const { sent, answered } = this.#connection.negotiated
    await this.#say(step, sent.has(step) && this.#skipped !== step ? bytes : null, recipient)
    if (!answered.has(step) || this.#skipped === step) return null
    let reply = await this.#connection.reply()
    while (reply.kind === 'progress') reply = await this.#connection.reply()
    if (reply.kind === 'skip') this.#skipped = step
    if (isChange(reply)) throw new MilterError('asked for a change before the end of the message')
    if (reply.kind === 'discard' && (step === 'connect' || step === 'helo'))
      throw new MilterError('discarded a message that had not begun')
    return endingOf(reply)
  }

  /** Macros belong to a step also where the step itself is not sent. */
  async #say(step: Step, bytes: Buffer | null, recipient: string | null = null): Promise<void> {
    const told = macros(step, this.#macros.of(step, recipient))
    if (told !== null) await this.#connection.write(told)
    if (bytes !== null) await this.#connection.write(bytes)
  }

  get #accepted(): string[] {
    const { recipients } = this.#message.transaction
    return recipients.map(({ address }) => address).filter((address) => !this.#refused.has(address))
  }

  async #verdict(
    ending: Ending,
    changes = new MilterChanges(this.#header, this.#accepted),
  ): Promise<CheckerVerdict> {
    if (ending.kind !== 'pass') return { ...ending, note: null }
    const { envelope, hold, note } = changes
    const refused = [...this.#refused].map(([recipient, reply]) => ({ recipient, reply }))
    if (!changes.reachesAnybody && refused.length === 0) return { kind: 'drop', note: 'left no recipient' }
    return { kind: 'pass', draft: await this.#draft(changes), ...envelope, refused, hold, note }
  }

  async #draft({ headerChanged }: MilterChanges): Promise<Draft> {
    const { draft } = this.#message
    const replaced = this.#body
    if (replaced === null && !headerChanged) return draft
    const body = replaced === null ? draft.body : await replaced.end()
    this.#body = null
    return { header: this.#header.bytes({ bodyReplaced: replaced !== null }), body }
  }
}

/** Null where the message goes on. */
function endingOf(reply: Exclude<MilterReply, Change>): Ending | null {
  switch (reply.kind) {
    case 'continue':
    case 'skip':
    case 'progress':
      return null
    case 'accept':
      return { kind: 'pass' }
    case 'discard':
      return { kind: 'drop' }
    case 'reject':
      return { kind: 'refuse', reply: rejected }
    case 'tempfail':
      return { kind: 'refuse', reply: deferred }
    case 'replyCode':
      return { kind: 'refuse', reply: reply.reply }
  }
}

const decisions = ['continue', 'skip', 'progress', 'accept', 'discard', 'reject', 'tempfail', 'replyCode']

function isChange(reply: MilterReply): reply is Change {
  return !decisions.includes(reply.kind)
}

/** Nobody has looked up the client's name: then its address stands for it, in brackets. */
function connectionOf(address: string | null): Buffer {
  const family = isIP(address ?? '')
  if (address === null || (family !== 4 && family !== 6)) return connect('unknown', null)
  return connect(`[${address}]`, { family, address })
}

/** As MAIL had them, in the parameters' own spelling. */
function mailArguments({ sender, declaredSizeBytes }: Transaction): string[] {
  const parameters = [
    declaredSizeBytes === null ? null : `SIZE=${declaredSizeBytes}`,
    sender.bodyType === '8bitmime' ? 'BODY=8BITMIME' : null,
    sender.smtpUtf8 ? 'SMTPUTF8' : null,
    sender.ret === null ? null : `RET=${sender.ret.toUpperCase()}`,
    sender.envid === null ? null : `ENVID=${sender.envid}`,
  ]
  return [`<${sender.from}>`, ...parameters.filter((parameter) => parameter !== null)]
}

function rcptArguments({ address, notify, orcpt }: EnvelopeRecipient): string[] {
  const wanted = notify === null || notify === 'never' ? notify : notify.join(',')
  const parameters = [
    wanted === null ? null : `NOTIFY=${wanted.toUpperCase()}`,
    orcpt === null ? null : `ORCPT=${orcpt}`,
  ]
  return [`<${address}>`, ...parameters.filter((parameter) => parameter !== null)]
}
