/**
 * One connection to the sandbox: the dialog of a provider's smart host (RFC 5321, 3207, 4954), which takes mail
 * only inside TLS and after AUTH, and misbehaves where an address asks for it. It is also the sink of
 * benchmarks, so it keeps to a few steps a message: all replies to one chunk of input leave in one write, and a
 * body is hashed while it streams by.
 *
 * A session waits (no input is read) while a reply is due that is not ready: it is slowed down, its message is
 * being written to the ledger, or the whole sandbox is paused. Replies therefore keep their order.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import { formatReply, permanent, type Reply, success, temporary } from '../reply.ts'
import { AuthExchange, type AuthStep } from './auth-exchange.ts'
import { DataReader } from './data-reader.ts'
import { parseMail, parseRcpt } from './mail-and-rcpt.ts'
import { MessageDigest } from './message-digest.ts'
import type { Fault, Misbehaviour, Stage } from './misbehaviour.ts'
import type { ReceivedMessage, SessionHost } from './session-host.ts'

/** RFC 5321 §3.3, with what the addresses have asked for. */
interface Transaction {
  readonly sender: EnvelopeSender
  readonly recipients: EnvelopeRecipient[]
  readonly faults: Partial<Record<Stage, Fault>>
  delayMs: number
}

/** The content of a message while it arrives. */
interface Content {
  readonly reader: DataReader
  readonly digest: MessageDigest
  readonly chunks: Buffer[] | null
  sizeBytes: number
}

const idleMs = 5 * 60_000
const longestLine = 12_288
const mostUnreadReplies = 1024 ** 2

const line = (reply: Reply): string => `${formatReply(reply)}\r\n`
const ok = line(success('0.0', 'Ok'))
const senderOk = line(success('1.0', 'Sender ok'))
const recipientOk = line(success('1.5', 'Recipient ok'))
const startInput = '354 End data with <CR><LF>.<CR><LF>\r\n'
const badSequence = permanent('5.1', 'Bad sequence of commands', 503)
const notRecognized = permanent('5.2', 'Command not recognized', 500)
const tlsFirst = permanent('7.0', 'Must issue a STARTTLS command first', 530)
const authFirst = permanent('7.0', 'Authentication required', 530)
const tooLarge = permanent('3.4', 'Message is too large', 552)

/** Finished lines, a reply, or nothing: none is due, or not yet. */
type Answer = string | Reply | null

export class SandboxSession {
  readonly #host: SessionHost
  readonly #onEnd: () => void
  #socket: Socket
  #tls: string | null = null
  /** `upgrading` until the 220 to STARTTLS is written; `closing` after the last reply; `hanging` reads but never answers. */
  #state: 'new' | 'command' | 'upgrading' | 'handshake' | 'hanging' | 'closing' | 'closed' = 'new'
  #waiting = false
  #running = false
  #input: Buffer | null = null
  #output = ''
  #greeted = false
  #auth: AuthExchange | null = null
  #user: string | null = null
  #messages = 0
  #transaction: Transaction | null = null
  #content: Content | null = null

  constructor(socket: Socket, host: SessionHost, { onEnd }: { onEnd(): void }) {
    this.#host = host
    this.#onEnd = onEnd
    this.#socket = socket
    this.#listen(socket)
    if (host.tls === 'implicit') this.#startTls()
    else this.wake()
  }

  /** Goes on after a pause of the whole sandbox, or of this session. */
  wake(): void {
    if (this.#host.paused || this.#waiting) return
    if (this.#state === 'new') this.#greet()
    this.#socket.resume()
    this.#run()
  }

  destroy(): void {
    this.#state = 'closed'
    this.#socket.destroy()
  }

  #listen(socket: Socket): void {
    socket.setTimeout(idleMs, () => this.#idle())
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    // The peer's errors end the connection; 'close' follows and is all that matters here.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (socket !== this.#socket) return
      this.#state = 'closed'
      this.#onEnd()
    })
  }

  /** What waits for us is not idle: a host that hangs does so for as long as its client waits. */
  #idle(): void {
    if (this.#waiting || this.#host.paused || this.#state === 'hanging') return
    if (this.#state === 'command') {
      this.#say(temporary('4.2', 'Idle for too long', 421))
      this.#flush()
    } else {
      this.destroy()
    }
  }

  #greet(): void {
    this.#state = 'command'
    const { greeting } = this.#host.switches
    this.#say(greeting ?? `220 ${this.#host.name} ESMTP sandbox, delivers nowhere\r\n`)
    if (greeting) this.#state = 'closing'
  }

  #receive(chunk: Buffer): void {
    // What a hanging session is sent is read and dropped, so that the client's leaving is noticed.
    if (this.#state === 'hanging' || this.#state === 'closing') return
    this.#input = this.#input === null ? chunk : Buffer.concat([this.#input, chunk])
    this.#run()
  }

  /** Works off the input, then sends all replies to it at once. */
  #run(): void {
    if (this.#running) return
    this.#running = true
    while (this.#input !== null && this.#state === 'command' && !this.#waiting && !this.#host.paused) {
      if (this.#content) this.#readContent(this.#content, this.#input)
      else if (!this.#readLine(this.#input)) break
    }
    this.#running = false
    this.#flush()
  }

  #say(answer: Answer, delayMs = this.#transaction?.delayMs ?? 0): void {
    if (answer === null) return
    if (typeof answer !== 'string' && answer.code >= 400) this.#host.counts.refusals++
    if (typeof answer !== 'string' && answer.code === 421) this.#state = 'closing'
    const text = typeof answer === 'string' ? answer : line(answer)
    if (delayMs === 0) this.#output += text
    else this.#sayLater(text, delayMs)
  }

  #sayLater(text: string, delayMs: number): void {
    this.#waiting = true
    this.#socket.pause()
    const say = () => {
      this.#waiting = false
      this.#output += text
      this.wake()
    }
    setTimeout(say, delayMs).unref()
  }

  #flush(): void {
    if (this.#host.paused) {
      this.#socket.pause()
      return
    }
    if (this.#output !== '' && !this.#socket.destroyed) this.#socket.write(this.#output, 'latin1')
    this.#output = ''
    if (this.#state === 'upgrading' && !this.#waiting) this.#startTls()
    if (this.#state === 'closing' && !this.#waiting) this.#socket.end()
    // A client that sends commands and reads no replies must not fill our memory.
    if (this.#socket.writableLength > mostUnreadReplies) this.destroy()
  }

  #readLine(input: Buffer): boolean {
    const end = input.indexOf(0x0a)
    if (end < 0 && input.length <= longestLine) return false
    this.#input = end < 0 || end + 1 === input.length ? null : input.subarray(end + 1)
    this.#say(this.#answerTo(input, end))
    return true
  }

  #answerTo(input: Buffer, end: number): Answer {
    if (end < 0 || end > longestLine) {
      this.#state = 'closing'
      return permanent('5.2', 'Line is too long', 500)
    }
    // RFC 5321 §2.3.8: only CRLF ends a line.
    if (input[end - 1] !== 0x0d) return permanent('5.2', 'Lines must end with CRLF', 500)
    if (this.#auth) return this.#authenticate(this.#auth.next(input.toString('latin1', 0, end - 1)))
    return this.#command(input.toString('utf8', 0, end - 1))
  }

  #command(text: string): Answer {
    const space = text.indexOf(' ')
    const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase()
    const argument = space < 0 ? '' : text.slice(space + 1).trimEnd()
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        return this.#hello(verb, argument)
      case 'NOOP':
        return ok
      case 'QUIT':
        this.#state = 'closing'
        return success('0.0', 'Bye', 221)
      case 'STARTTLS':
        return this.#startTlsCommand()
    }
    // RFC 3207 §4: before TLS nothing else is answered but with 530.
    const needsTls = this.#host.tls === 'starttls' && this.#tls === null
    return needsTls ? tlsFirst : this.#mailCommand(verb, argument)
  }

  #mailCommand(verb: string, argument: string): Answer {
    switch (verb) {
      case 'AUTH':
        return this.#authCommand(argument)
      case 'MAIL':
        return this.#mail(argument)
      case 'RCPT':
        return this.#rcpt(argument)
      case 'DATA':
        return this.#data()
      case 'RSET':
        this.#transaction = null
        return ok
      case 'VRFY':
        return success('5.0', 'Not verified; send mail and see', 252)
      default:
        return notRecognized
    }
  }

  #hello(verb: string, client: string): Answer {
    if (client === '') return permanent('5.4', `Syntax: ${verb} hostname`, 501)
    this.#greeted = true
    this.#transaction = null
    if (verb === 'HELO') return `250 ${this.#host.name}\r\n`
    const { tls, switches, maxMessageSizeBytes } = this.#host
    const lines = [
      this.#host.name,
      `SIZE ${maxMessageSizeBytes}`,
      ...['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES'],
      ...(tls === 'starttls' && this.#tls === null && switches.offerStartTls ? ['STARTTLS'] : []),
      ...(this.#mayAuthenticate ? ['AUTH PLAIN LOGIN'] : []),
    ]
    return lines.map((text, i) => `250${i < lines.length - 1 ? '-' : ' '}${text}\r\n`).join('')
  }

  get #mayAuthenticate(): boolean {
    return this.#host.switches.offerAuth && (this.#tls !== null || this.#host.tls === 'none')
  }

  #startTlsCommand(): Answer {
    if (this.#host.tls !== 'starttls' || !this.#host.switches.offerStartTls)
      return permanent('5.1', 'STARTTLS not offered', 502)
    if (this.#tls !== null) return badSequence
    this.#state = 'upgrading'
    return success('0.0', 'Ready to start TLS', 220)
  }

  /** From here on nothing that was said in clear counts (RFC 3207 §4.2), nor what was sent ahead. */
  #startTls(): void {
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.setTimeout(0)
    this.#state = 'handshake'
    this.#input = null
    this.#greeted = false
    const secure = new TLSSocket(plain, { isServer: true, secureContext: this.#host.secureContext! })
    this.#socket = secure
    this.#listen(secure)
    secure.once('secure', () => {
      this.#tls = `${secure.getProtocol()} ${secure.getCipher().standardName}`
      this.#state = this.#host.tls === 'implicit' ? 'new' : 'command'
      this.wake()
    })
  }

  #authCommand(argument: string): Answer {
    if (!this.#mayAuthenticate) return permanent('5.1', 'AUTH not offered', 502)
    if (this.#user !== null || this.#transaction || !this.#greeted) return badSequence
    const match = /^(\S+)(?: (\S+))?$/.exec(argument)
    if (!match) return permanent('5.4', 'Syntax: AUTH mechanism', 501)
    const mechanism = match[1]!.toUpperCase()
    if (mechanism !== 'PLAIN' && mechanism !== 'LOGIN')
      return permanent('5.4', 'Mechanism not supported', 504)
    this.#auth = new AuthExchange(mechanism)
    return this.#authenticate(this.#auth.begin(match[2] ?? null))
  }

  #authenticate(step: AuthStep): Answer {
    if (step.kind === 'challenge') return `334 ${step.text}\r\n`
    this.#auth = null
    if (step.kind === 'cancelled') return permanent('7.0', 'Authentication cancelled', 501)
    if (step.kind === 'malformed') return permanent('5.2', 'Cannot decode the response', 501)
    const { user, password, switches, counts } = this.#host
    const wrong =
      step.user === user && step.password === password
        ? switches.refuseAuth
        : permanent('7.8', 'Authentication credentials invalid', 535)
    if (wrong) {
      counts.authenticationsRefused++
      return wrong
    }
    counts.authentications++
    this.#user = step.user
    return success('7.0', 'Authentication successful', 235)
  }

  #mail(argument: string): Answer {
    const { switches, maxMessageSizeBytes, misbehaviours } = this.#host
    if (this.#user === null) return authFirst
    if (!this.#greeted || this.#transaction) return badSequence
    if (this.#messages >= switches.maxMessagesPerConnection)
      return temporary('7.0', 'Too many messages on this connection', 421)
    const mail = parseMail(argument)
    if ('code' in mail) return mail
    if ((mail.sizeBytes ?? 0) > maxMessageSizeBytes) return tooLarge
    this.#transaction = { sender: mail.sender, recipients: [], faults: {}, delayMs: 0 }
    heed(this.#transaction, misbehaviours.of(mail.sender.from))
    const fault = this.#transaction.faults.mail
    if (!fault) return senderOk
    this.#transaction = null
    return this.#suffer(fault, 'mail')
  }

  #rcpt(argument: string): Answer {
    const transaction = this.#transaction
    if (!transaction) return badSequence
    const recipient = parseRcpt(argument, transaction.sender)
    if ('code' in recipient) return recipient
    const asked = this.#host.misbehaviours.of(recipient.address)
    // A fault at RCPT is this recipient's alone; any other is the transaction's.
    const own = asked?.kind === 'fault' && asked.at === 'rcpt' ? asked.fault : null
    if (!own) heed(transaction, asked)
    const fault = own ?? transaction.faults.rcpt
    if (fault) return this.#suffer(fault, 'rcpt')
    transaction.recipients.push(recipient)
    return recipientOk
  }

  #data(): Answer {
    if (!this.#transaction) return badSequence
    if (this.#transaction.recipients.length === 0) return permanent('5.1', 'No valid recipients', 554)
    const fault = this.#transaction.faults.data
    if (fault) return this.#suffer(fault, 'data')
    this.#content = {
      reader: new DataReader(),
      digest: new MessageDigest(),
      chunks: this.#host.keepsContent ? [] : null,
      sizeBytes: 0,
    }
    return startInput
  }

  #readContent(content: Content, input: Buffer): void {
    const transaction = this.#transaction!
    if (transaction.faults.body) {
      this.#suffer(transaction.faults.body, 'body')
      return
    }
    const part = content.reader.read(input)
    content.sizeBytes += part.content.length
    // A message that is too large is read to its end, but nothing more of it is kept.
    if (content.sizeBytes <= this.#host.maxMessageSizeBytes) {
      content.digest.update(part.content)
      content.chunks?.push(part.content)
    }
    this.#input = part.rest?.length === 0 ? null : part.rest
    if (part.rest) this.#endOfData(content, transaction)
  }

  #endOfData(content: Content, transaction: Transaction): void {
    const fault = transaction.faults.dot
    this.#messages++
    this.#content = null
    if (content.sizeBytes > this.#host.maxMessageSizeBytes) this.#say(tooLarge)
    else if (fault && fault.kind !== 'drop-kept') this.#say(this.#suffer(fault, 'dot'))
    else this.#keep(content, transaction)
    this.#transaction = null
  }

  #keep(content: Content, transaction: Transaction): void {
    const facts = content.digest.finish()
    const message: ReceivedMessage = {
      sizeBytes: facts.sizeBytes,
      sha256: facts.sha256,
      messageId: facts.messageId,
      mark: facts.mark,
      sender: transaction.sender,
      recipients: transaction.recipients,
      receivedAt: Date.now(),
      tls: this.#tls,
      user: this.#user!,
      raw: content.chunks && Buffer.concat(content.chunks),
    }
    this.#waiting = true
    this.#host.keep(message, (result) => {
      this.#waiting = false
      if (transaction.faults.dot) this.destroy()
      else this.#say(answerToDot(result), transaction.delayMs)
      this.#run()
    })
  }

  /** Misbehaves. The answer is null where there will be none. */
  #suffer(fault: Fault, stage: Stage): Answer {
    if (fault.kind === 'reply') return askedFor(fault.code, stage)
    // The replies to the commands before this one are still given.
    this.#flush()
    if (fault.kind === 'hang') this.#state = 'hanging'
    else this.destroy()
    this.#input = null
    return null
  }
}

/** Notes what an address has asked for; the first wish for a stage stands. */
function heed(transaction: Transaction, asked: Exclude<Misbehaviour, { kind: 'flaky' }> | null): void {
  if (asked?.kind === 'slow') transaction.delayMs = asked.delayMs
  if (asked?.kind === 'fault') transaction.faults[asked.at] ??= asked.fault
}

function answerToDot(result: { id: string } | { error: Error }): Reply {
  return 'id' in result
    ? success('0.0', `Ok: queued as ${result.id}`)
    : temporary('3.1', `The ledger cannot be written: ${result.error.message}`, 452)
}

const enhancedTails: Record<Stage, string> = {
  mail: '7.1',
  rcpt: '1.1',
  data: '3.0',
  body: '3.0',
  dot: '6.0',
}

function askedFor(code: number, stage: Stage): Reply {
  if (code === 421) return temporary('3.2', 'Closing the connection, as asked for', 421)
  const make = code < 500 ? temporary : permanent
  return make(enhancedTails[stage], `Refused at ${stage.toUpperCase()}, as asked for`, code)
}
