/**
 * One SMTP session as a conversation (RFC 5321 §3, §4.1): a line goes in, an answer comes out. It knows the
 * order of commands, who may do what, and the transaction being built; it knows nothing of sockets. Each verb
 * of the protocol is one method. A refused command leaves the transaction as it was.
 */
import type { ListenerConfig } from '../config/schema.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import type { RecordEvent } from '../observe/events.ts'
import { permanent, printable, type Reply, success, temporary } from '../reply.ts'
import { admit, type User } from './access.ts'
import { type Authentication, tooManyFailures } from './authentication.ts'
import { parseMail, parseRcpt } from './parameters.ts'
import { decodeInitialResponse, decodeResponse, isUserName, parsePlain } from './sasl.ts'
import type { Reception, SenderRights, Session, Transaction } from './transaction.ts'

export interface Answer {
  readonly reply: Reply
  /** Further lines of a multi-line reply: the keywords of EHLO. */
  readonly lines?: readonly string[]
  /** What follows the reply; nothing: the next command. */
  readonly next?: 'close' | 'starttls' | 'data'
}

export interface SessionOptions {
  readonly id: string
  readonly address: string
  /** As whom clients of this address may send without AUTH; null: they may not. */
  readonly networkSenders: SenderRights | null
  /** `ignore`: rights concern the envelope alone. */
  readonly fromField: 'check' | 'ignore'
  readonly listener: ListenerConfig
  readonly hostname: string
  readonly authentication: Authentication
  readonly reception: Pick<Reception, 'recipient'>
  readonly record: RecordEvent
}

/** Since the last accepted message: who gets so much wrong is not a mail client. */
const mostBadCommands = 50
/** RFC 4954 leaves it to us; three, then the client has to connect again and is slowed down by the throttle. */
const mostFailedLogins = 3

export class SmtpSession {
  readonly #options: SessionOptions
  #tls: string | null = null
  #greeting: 'none' | 'HELO' | 'EHLO' = 'none'
  #helo = ''
  #user: User | null = null
  /** An AUTH exchange under way: the next line is a response, not a command. */
  #exchange: { mechanism: 'PLAIN' } | { mechanism: 'LOGIN'; user: string | null } | null = null
  #transaction: OpenTransaction | null = null
  #session: Session | null = null
  #commands = 0
  #badCommands = 0
  #failedLogins = 0

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** The transaction that DATA was said for; it ends with `endTransaction`. */
  get transaction(): Transaction | null {
    return this.#transaction
  }

  /** RFC 3207 §4.2: whatever the client said before TLS is forgotten. */
  secured(tls: string): void {
    this.#tls = tls
    this.#greeting = 'none'
    this.#user = null
    this.#exchange = null
    this.#transaction = null
    this.#session = null
  }

  /** Who has logged in; null where nobody has. */
  get userName(): string | null {
    return this.#user?.name ?? null
  }

  endTransaction(options: { accepted: boolean }): void {
    this.#transaction = null
    if (options.accepted) this.#badCommands = 0
  }

  /**
   * A line without its CRLF. AUTH answers later, as a password takes time to check, and RCPT where policy asks
   * somebody outside; no other command is read meanwhile.
   */
  command(line: Buffer): Answer | Promise<Answer> {
    if (++this.#commands > this.#options.listener.maxCommands)
      return close(temporary('7.0', 'Too many commands in one session', 421))
    if (this.#exchange !== null) return this.#respond(line.toString('latin1'))
    const text = line.toString('utf8')
    if (controls.test(text)) return this.#bad(permanent('5.2', 'Control characters in a command', 500))
    const space = text.indexOf(' ')
    const verb = (space === -1 ? text : text.slice(0, space)).toUpperCase()
    return this.#dispatch(verb, space === -1 ? '' : text.slice(space + 1).trim())
  }

  #dispatch(verb: string, argument: string): Answer | Promise<Answer> {
    if (this.#options.listener.tls === 'required' && this.#tls === null && !beforeTls.has(verb))
      return this.#refuse(verb, permanent('7.0', 'Must issue a STARTTLS command first', 530))
    switch (verb) {
      case 'MAIL':
        return this.#mail(argument)
      case 'RCPT':
        return this.#rcpt(argument)
      case 'DATA':
        return this.#data(argument)
      case 'EHLO':
      case 'HELO':
        return this.#hello(verb, argument)
      case 'STARTTLS':
        return this.#starttls(argument)
      case 'AUTH':
        return this.#auth(argument)
      case 'RSET':
        return this.#rset(argument)
      case 'NOOP':
        return answers.noop
      case 'QUIT':
        return answers.quit
      case 'VRFY':
        return argument === '' ? this.#bad(syntax('VRFY address')) : answers.vrfy
      case 'HELP':
        return answers.help
      default:
        return this.#other(verb, argument)
    }
  }

  #hello(verb: 'EHLO' | 'HELO', argument: string): Answer {
    if (!/^\S{1,255}$/.test(argument)) return this.#bad(syntax(`${verb} hostname`))
    this.#greeting = verb
    this.#helo = argument
    this.#transaction = null
    this.#session = null
    const { hostname, address } = this.#options
    const reply: Reply = { code: 250, enhanced: null, text: `${hostname} Hello [${address}]` }
    return verb === 'HELO' ? { reply } : { reply, lines: this.#keywords() }
  }

  #keywords(): string[] {
    const { listener } = this.#options
    const keywords = [
      `SIZE ${listener.maxMessageSize}`,
      'PIPELINING',
      '8BITMIME',
      'SMTPUTF8',
      'DSN',
      'ENHANCEDSTATUSCODES',
    ]
    if (this.#mayStartTls()) keywords.push('STARTTLS')
    // LOGIN first: Exchange send connectors know no other mechanism.
    if (this.#mayAuthenticate() && this.#user === null) keywords.push('AUTH LOGIN PLAIN')
    return keywords
  }

  #mayStartTls(): boolean {
    const { tls } = this.#options.listener
    return this.#tls === null && (tls === 'starttls' || tls === 'required')
  }

  #mayAuthenticate(): boolean {
    const { authentication, listener } = this.#options
    return authentication.offered && (this.#tls !== null || listener.authWithoutTls)
  }

  #starttls(argument: string): Answer {
    if (argument !== '') return this.#bad(syntax('STARTTLS'))
    if (this.#tls !== null) return this.#bad(outOfOrder('TLS is already active'))
    return this.#mayStartTls() ? answers.starttls : this.#bad(notImplemented)
  }

  #mail(argument: string): Answer {
    if (this.#greeting === 'none') return this.#refuse('MAIL', outOfOrder('Send EHLO first'))
    if (this.#transaction !== null) return this.#refuse('MAIL', outOfOrder('Nested MAIL command'))
    const parsed = parseMail(argument, this.#options.listener)
    if ('refusal' in parsed) return this.#refuse('MAIL', parsed.refusal, { from: parsed.path })
    const { sender, sizeBytes } = parsed
    const { address, networkSenders, authentication } = this.#options
    const client = { address, networkSenders, user: this.#user, authOffered: authentication.offered }
    const admission = admit(client, sender.from)
    if ('refusal' in admission) return this.#refuse('MAIL', admission.refusal, { from: sender.from })
    this.#transaction = new OpenTransaction(this.#sessionFor(sender, admission), sender, sizeBytes)
    return answers.mail
  }

  #rcpt(argument: string): Answer | Promise<Answer> {
    const transaction = this.#transaction
    if (transaction === null) return this.#refuse('RCPT', outOfOrder('Need MAIL first'))
    const { hostname, listener, reception } = this.#options
    const recipient = parseRcpt(argument, { smtpUtf8: transaction.sender.smtpUtf8, hostname })
    const from = transaction.sender.from
    if ('refusal' in recipient) return this.#refuse('RCPT', recipient.refusal, { from, to: recipient.path })
    // Said twice, it is one recipient: it gets the message once.
    if (transaction.has(recipient.address)) return answers.rcpt
    if (transaction.recipients.length >= listener.maxRecipients)
      return this.#refuse('RCPT', temporary('5.3', 'Too many recipients', 452), {
        from,
        to: recipient.address,
      })
    const refusal = reception.recipient(transaction, recipient)
    return refusal instanceof Promise
      ? refusal.then((later) => this.#addRecipient(transaction, { recipient, refusal: later }))
      : this.#addRecipient(transaction, { recipient, refusal })
  }

  #addRecipient(
    transaction: OpenTransaction,
    { recipient, refusal }: { recipient: EnvelopeRecipient; refusal: Reply | null },
  ): Answer {
    const from = transaction.sender.from
    if (refusal !== null) return this.#refuse('RCPT', refusal, { from, to: recipient.address })
    transaction.add(recipient)
    return answers.rcpt
  }

  #data(argument: string): Answer {
    if (argument !== '') return this.#bad(syntax('DATA'))
    if (this.#transaction === null) return this.#bad(outOfOrder('Need MAIL first'))
    if (this.#transaction.recipients.length > 0) return answers.data
    return this.#bad(permanent('5.1', 'No valid recipients', 554))
  }

  #rset(argument: string): Answer {
    if (argument !== '') return this.#bad(syntax('RSET'))
    this.#transaction = null
    return answers.ok
  }

  #auth(argument: string): Answer | Promise<Answer> {
    if (!this.#options.authentication.offered) return this.#bad(notImplemented)
    if (this.#greeting !== 'EHLO') return this.#refuse('AUTH', outOfOrder('Send EHLO first'))
    if (!this.#mayAuthenticate())
      return this.#refuse('AUTH', permanent('7.11', 'Encryption required for authentication', 538))
    if (this.#user !== null) return this.#refuse('AUTH', outOfOrder('Already authenticated'))
    if (this.#transaction !== null) return this.#refuse('AUTH', outOfOrder('Mail transaction in progress'))
    const [mechanism, response, ...rest] = argument.split(/ +/)
    if (!mechanism || rest.length > 0) return this.#refuse('AUTH', syntax('AUTH mechanism [response]'))
    return this.#beginExchange(mechanism.toUpperCase(), response)
  }

  #beginExchange(mechanism: string, response: string | undefined): Answer | Promise<Answer> {
    if (mechanism === 'PLAIN') this.#exchange = { mechanism }
    else if (mechanism === 'LOGIN') this.#exchange = { mechanism, user: null }
    else return this.#refuse('AUTH', permanent('5.4', 'Authentication mechanism not supported', 504))
    if (response !== undefined) return this.#advance(decodeInitialResponse(response))
    return mechanism === 'PLAIN' ? challenges.plain : challenges.userName
  }

  #respond(line: string): Answer | Promise<Answer> {
    if (line !== '*') return this.#advance(decodeResponse(line))
    this.#exchange = null
    return this.#refuse('AUTH', permanent('7.0', 'Authentication aborted', 501))
  }

  #advance(response: string | null): Answer | Promise<Answer> {
    const exchange = this.#exchange!
    if (exchange.mechanism === 'LOGIN' && exchange.user === null && response && isUserName(response)) {
      this.#exchange = { mechanism: 'LOGIN', user: response }
      return challenges.password
    }
    this.#exchange = null
    const credentials = readCredentials(exchange, response)
    if (credentials !== null) return this.#login(credentials)
    return this.#refuse('AUTH', permanent('5.2', 'Malformed authentication response', 501))
  }

  async #login(credentials: { user: string; password: string }): Promise<Answer> {
    const { authentication, address } = this.#options
    const login = await authentication.login({ ...credentials, address })
    if (login.kind === 'accepted') {
      this.#user = login.user
      this.#session = null
      return answers.authenticated
    }
    const { reply } = this.#refuse('AUTH', login.reply)
    if (login.kind === 'dropped') return close(reply)
    return ++this.#failedLogins >= mostFailedLogins ? close(tooManyFailures) : { reply }
  }

  #other(verb: string, argument: string): Answer {
    if (verb === 'BDAT') return close(permanent('5.1', 'BDAT is not offered, closing connection', 502))
    if (browserVerbs.has(verb) && / HTTP\/\d\.\d$/.test(argument))
      return close(temporary('7.0', 'This is not a web server', 421))
    if (verb === 'XCLIENT' || verb === 'XFORWARD')
      return this.#bad(permanent('7.0', `${verb} is not allowed`, 550))
    if (knownVerbs.has(verb)) return this.#bad(notImplemented)
    return this.#bad(permanent('5.2', 'Command not recognized', 500))
  }

  /** One object while the session does not change; the protocol's name depends on the transaction too. */
  #sessionFor(sender: EnvelopeSender, { senders }: { senders: SenderRights }): Session {
    const protocol = this.#protocol(sender)
    if (this.#session?.protocol === protocol) return this.#session
    const { id, address, listener, fromField } = this.#options
    const user = this.#user?.name ?? null
    this.#session = {
      id,
      client: { address, listener: listener.name, user },
      helo: this.#helo,
      protocol,
      tls: this.#tls,
      senders: fromField === 'check' ? senders : 'all',
    }
    return this.#session
  }

  /** RFC 3848, RFC 6531 §4.3. */
  #protocol(sender: EnvelopeSender): string {
    if (this.#greeting === 'HELO') return 'SMTP'
    const name = sender.smtpUtf8 ? 'UTF8SMTP' : 'ESMTP'
    return name + (this.#tls === null ? '' : 'S') + (this.#user === null ? '' : 'A')
  }

  #refuse(verb: string, reply: Reply, path: { from?: string | null; to?: string | null } = {}): Answer {
    if (verb === 'MAIL' || verb === 'RCPT' || verb === 'AUTH') {
      const { address, listener } = this.#options
      this.#options.record({
        event: 'rejected',
        command: verb,
        client: { address, listener: listener.name, user: this.#user?.name ?? null },
        from: path.from ?? null,
        to: path.to ?? null,
        reply,
      })
    }
    return protocolErrors.has(reply.code) ? this.#bad(reply) : { reply }
  }

  #bad(reply: Reply): Answer {
    if (++this.#badCommands <= mostBadCommands) return { reply }
    return close(temporary('7.0', 'Too many bad commands', 421))
  }
}

/** A transaction between MAIL and the end of DATA, recipients arriving. */
class OpenTransaction implements Transaction {
  readonly session: Session
  readonly sender: EnvelopeSender
  readonly declaredSizeBytes: number | null
  readonly recipients: EnvelopeRecipient[] = []
  /** Of its recipients, from the second on: most have one. */
  #addresses: Set<string> | null = null

  constructor(session: Session, sender: EnvelopeSender, declaredSizeBytes: number | null) {
    this.session = session
    this.sender = sender
    this.declaredSizeBytes = declaredSizeBytes
  }

  has(address: string): boolean {
    return this.#addresses?.has(address) ?? this.recipients[0]?.address === address
  }

  add(recipient: EnvelopeRecipient): void {
    this.recipients.push(recipient)
    if (this.#addresses !== null) this.#addresses.add(recipient.address)
    else if (this.recipients.length > 1)
      this.#addresses = new Set(this.recipients.map(({ address }) => address))
  }
}

const close = (reply: Reply): Answer => ({ reply, next: 'close' })
const syntax = (usage: string): Reply => permanent('5.4', `Syntax: ${printable(usage)}`, 501)
const outOfOrder = (text: string): Reply => permanent('5.1', text, 503)
const notImplemented = permanent('5.1', 'Command not implemented', 502)
const plain = (code: number, text: string): Reply => ({ code, enhanced: null, text })

/** RFC 2034 §4: 3yz replies carry no enhanced code. */
const challenges = {
  plain: { reply: plain(334, '') },
  userName: { reply: plain(334, Buffer.from('Username:').toString('base64')) },
  password: { reply: plain(334, Buffer.from('Password:').toString('base64')) },
} satisfies Record<string, Answer>

const answers = {
  ok: { reply: success('0.0', 'Ok') },
  noop: { reply: success('0.0', 'Ok') },
  mail: { reply: success('1.0', 'Sender ok') },
  rcpt: { reply: success('1.5', 'Recipient ok') },
  data: { reply: plain(354, 'End data with <CR><LF>.<CR><LF>'), next: 'data' },
  starttls: { reply: success('0.0', 'Ready to start TLS', 220), next: 'starttls' },
  authenticated: { reply: success('7.0', 'Authentication successful', 235) },
  vrfy: { reply: success('1.5', 'Cannot verify the user, but will take the message', 252) },
  help: { reply: success('0.0', 'See RFC 5321', 214) },
  quit: { reply: success('0.0', 'Bye', 221), next: 'close' },
} satisfies Record<string, Answer>

/** All but the tab, which may stand where a space may. */
const controls = /[\u0000-\u0008\u000a-\u001f\u007f]/
/** RFC 3207 §4: what a client may say where TLS is required and not yet there. */
const beforeTls = new Set(['EHLO', 'HELO', 'STARTTLS', 'NOOP', 'QUIT'])
/** Verbs of RFCs that we know and do not do. Any other is a syntax error. */
const knownVerbs = new Set(['EXPN', 'ETRN', 'ATRN', 'TURN', 'SEND', 'SOML', 'SAML', 'XEXCH50', 'X-EXPS'])
/** A web page can make a browser speak to this port; what it sends must not be read as mail. */
const browserVerbs = new Set(['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH', 'TRACE', 'CONNECT'])
const protocolErrors = new Set([500, 501, 502, 503, 504, 530, 538, 555])

function readCredentials(
  exchange: { mechanism: 'PLAIN' } | { mechanism: 'LOGIN'; user: string | null },
  response: string | null,
): { user: string; password: string } | null {
  if (response === null) return null
  if (exchange.mechanism === 'PLAIN') return parsePlain(response)
  return exchange.user === null ? null : { user: exchange.user, password: response }
}
