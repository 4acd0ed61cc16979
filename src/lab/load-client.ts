/**
 * The SMTP client of the load generator: one connection, one transaction at a time, as few writes and turns as
 * the protocol allows (RFC 2920), so that what is measured is the server. It checks certificates as a strict client
 * does, unless told not to, and never sends credentials or mail in clear where TLS was asked for.
 */
import { connect, isIP, type Socket } from 'node:net'
import { type SecureContext, connect as tlsConnect } from 'node:tls'
import { parseReply } from '../reply.ts'
import type { LoadMessage } from './load-message.ts'

export interface LoadTarget {
  readonly host: string
  readonly port: number
  readonly tls: 'off' | 'starttls' | 'implicit'
  /** Whom to trust; null is what the system trusts. `insecure` takes any certificate. */
  readonly trust: { readonly secureContext: SecureContext | null; readonly insecure: boolean }
  readonly auth: { readonly user: string; readonly password: string } | null
  readonly ehloName: string
  /** How long to wait for any reply. */
  readonly timeoutMs: number
}

/** What became of one transaction. */
export type Submission =
  /** 250 to the final dot; `recipients` are those that RCPT took. */
  | { readonly kind: 'accepted'; readonly recipients: readonly string[] }
  | { readonly kind: 'refused'; readonly command: 'MAIL' | 'RCPT' | 'DATA' | 'dot'; readonly reply: string }
  /** The connection broke. After the final dot the server may have taken the message. */
  | { readonly kind: 'lost'; readonly afterDot: boolean; readonly reason: string }

/** A connection that could not be made or broke; the message says at which step. */
export class LoadConnectionError extends Error {}

export class LoadConnection {
  readonly #target: LoadTarget
  #socket: Socket
  #text = ''
  #replies: string[] = []
  #wanted = 0
  #waiter: { resolve: (replies: string[]) => void; reject: (error: Error) => void } | null = null
  #broken: Error | null = null
  #pipelining = false
  #features: ReadonlySet<string> = new Set()
  #authMechanisms: readonly string[] = []

  private constructor(target: LoadTarget, socket: Socket) {
    this.#target = target
    this.#socket = socket
    this.#listen(socket)
  }

  /** Connects, greets, secures and logs in. */
  static async open(target: LoadTarget): Promise<LoadConnection> {
    const socket =
      target.tls === 'implicit'
        ? tlsConnect(tlsOptions(target))
        : connect({ ...place(target), noDelay: true })
    const connection = new LoadConnection(target, socket)
    try {
      await connection.#open()
      return connection
    } catch (error) {
      connection.destroy()
      throw error
    }
  }

  /** False once nothing more can be sent: the connection broke, or the server said 421. */
  get usable(): boolean {
    return this.#broken === null
  }

  async submit(message: LoadMessage): Promise<Submission> {
    let afterDot = false
    try {
      const envelope = await this.#sendEnvelope(message)
      if ('refused' in envelope) return envelope.refused
      afterDot = true
      const [[reply]] = await Promise.all([this.#expect(1), this.#write(message.wire)])
      return reply!.startsWith('250')
        ? { kind: 'accepted', recipients: envelope.recipients }
        : { kind: 'refused', command: 'dot', reply: reply! }
    } catch (error) {
      if (!(error instanceof LoadConnectionError)) throw error
      return { kind: 'lost', afterDot, reason: error.message }
    }
  }

  async quit(): Promise<void> {
    if (!this.usable) return
    try {
      await this.#ask('QUIT\r\n')
    } catch (error) {
      // The server may close without a word; nothing depends on its goodbye.
      if (!(error instanceof LoadConnectionError)) throw error
    }
    this.destroy()
  }

  destroy(): void {
    this.#fail(new LoadConnectionError('closed by us'))
    this.#socket.destroy()
  }

  async #open(): Promise<void> {
    if (this.#target.tls === 'implicit') await this.#untilSecure()
    await this.#step('greeting', this.#expect(1), /^220/)
    await this.#hello()
    if (this.#target.tls === 'starttls') await this.#startTls()
    if (this.#target.auth) await this.#authenticate(this.#target.auth)
  }

  async #hello(): Promise<void> {
    const reply = await this.#step('EHLO', this.#ask(`EHLO ${this.#target.ehloName}\r\n`), /^250/)
    const lines = reply.split('\r\n').map((text) => text.slice(4).toUpperCase())
    this.#features = new Set(lines.map((text) => text.split(' ')[0]!))
    this.#pipelining = this.#features.has('PIPELINING')
    this.#authMechanisms =
      lines
        .find((text) => text.startsWith('AUTH '))
        ?.split(' ')
        .slice(1) ?? []
  }

  async #startTls(): Promise<void> {
    if (!this.#features.has('STARTTLS')) throw new LoadConnectionError('STARTTLS: not offered')
    await this.#step('STARTTLS', this.#ask('STARTTLS\r\n'), /^220/)
    this.#socket.removeAllListeners('data')
    this.#socket.setTimeout(0)
    const plain = this.#socket
    this.#text = ''
    this.#socket = tlsConnect({ ...tlsOptions(this.#target), socket: plain })
    this.#listen(this.#socket)
    await this.#untilSecure()
    await this.#hello()
  }

  async #untilSecure(): Promise<void> {
    const secure = this.#expect(0)
    this.#socket.once('secureConnect', () => this.#settle())
    await this.#step('TLS', secure, /^/)
  }

  async #authenticate({ user, password }: { user: string; password: string }): Promise<void> {
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    if (this.#authMechanisms.includes('PLAIN')) {
      const replies = this.#ask(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}\r\n`)
      await this.#step('AUTH', replies, /^235/)
    } else if (this.#authMechanisms.includes('LOGIN')) {
      await this.#step('AUTH', this.#ask('AUTH LOGIN\r\n'), /^334/)
      await this.#step('AUTH', this.#ask(`${base64(user)}\r\n`), /^334/)
      await this.#step('AUTH', this.#ask(`${base64(password)}\r\n`), /^235/)
    } else {
      throw new LoadConnectionError('AUTH: neither PLAIN nor LOGIN offered')
    }
  }

  /** MAIL, RCPT and DATA: the recipients that were taken, or the reply that ended it. */
  async #sendEnvelope(
    message: LoadMessage,
  ): Promise<{ recipients: readonly string[] } | { refused: Submission }> {
    const size = this.#features.has('SIZE') ? ` SIZE=${message.sizeBytes}` : ''
    const mail = `MAIL FROM:<${message.from}>${size}\r\n`
    const rcpts = message.to.map((address) => `RCPT TO:<${address}>\r\n`)
    const replies = this.#pipelining
      ? await this.#ask(`${mail}${rcpts.join('')}DATA\r\n`, rcpts.length + 2)
      : await this.#askOneByOne([mail, ...rcpts, 'DATA\r\n'])
    const isTaken = (_: string, i: number) => replies[i + 1]?.startsWith('25') ?? false
    // The same list where all are taken: a run remembers it for each message.
    const recipients = message.to.every(isTaken) ? message.to : message.to.filter(isTaken)
    const data = replies[rcpts.length + 1]
    if (data?.startsWith('354') && recipients.length > 0) return { recipients }
    // RFC 2920 §3.1: a server that takes DATA although it took no recipient waits for an empty message.
    if (data?.startsWith('354')) await this.#ask('.\r\n')
    if (this.usable) await this.#ask('RSET\r\n')
    return {
      refused: {
        kind: 'refused',
        ...whatRefused(replies, { offered: rcpts.length, taken: recipients.length }),
      },
    }
  }

  /** Without PIPELINING: stops where going on is useless. */
  async #askOneByOne(commands: readonly string[]): Promise<string[]> {
    const replies: string[] = []
    for (const command of commands) {
      const last = command === 'DATA\r\n'
      const taken = replies.slice(1).some((reply) => reply.startsWith('25'))
      if ((last && !taken) || (replies.length === 1 && !replies[0]!.startsWith('25'))) break
      replies.push(...(await this.#ask(command)))
    }
    return replies
  }

  async #step(name: string, replies: Promise<string[]>, expected: RegExp): Promise<string> {
    let reply: string
    try {
      reply = (await replies)[0] ?? ''
    } catch (error) {
      throw new LoadConnectionError(`${name}: ${(error as Error).message}`)
    }
    if (expected.test(reply)) return reply
    throw new LoadConnectionError(`${name}: ${printableReply(reply)}`)
  }

  #ask(commands: string, replies = 1): Promise<string[]> {
    const answer = this.#expect(replies)
    if (this.usable) this.#socket.write(commands, 'latin1')
    return answer
  }

  #expect(replies: number): Promise<string[]> {
    if (this.#broken) return Promise.reject(this.#broken)
    this.#wanted = replies
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      // A server may speak before it is asked; what it said answers the next command.
      if (replies > 0 && this.#replies.length >= replies) this.#settle()
    })
  }

  #settle(): void {
    this.#waiter?.resolve(this.#replies.splice(0, this.#wanted))
    this.#waiter = null
  }

  async #write(parts: readonly Buffer[]): Promise<void> {
    for (const part of parts) {
      if (!this.usable) return
      if (!this.#socket.write(part)) await drained(this.#socket)
    }
  }

  #listen(socket: Socket): void {
    socket.setTimeout(this.#target.timeoutMs, () => this.#break(socket, 'no reply in time'))
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error) => this.#break(socket, error.message))
    socket.on('close', () => this.#break(socket, 'connection closed'))
  }

  #break(socket: Socket, reason: string): void {
    socket.destroy()
    this.#fail(new LoadConnectionError(reason))
  }

  #fail(error: LoadConnectionError): void {
    this.#broken ??= error
    this.#waiter?.reject(this.#broken)
    this.#waiter = null
  }

  #receive(chunk: Buffer): void {
    this.#text += chunk.toString('latin1')
    let from = 0
    for (let start = 0; ; ) {
      const end = this.#text.indexOf('\r\n', start)
      if (end < 0) break
      const last = this.#text[start + 3] !== '-'
      start = end + 2
      if (!last) continue
      this.#reply(this.#text.slice(from, end))
      from = start
    }
    this.#text = this.#text.slice(from)
    if (this.#text.length > longestReply) this.#break(this.#socket, 'reply is too long')
  }

  #reply(reply: string): void {
    this.#replies.push(reply)
    const closing = reply.startsWith('421')
    if (this.#waiter && (closing || this.#replies.length >= this.#wanted)) this.#settle()
    // RFC 5321 §3.8: after 421 the server closes; further replies will not come.
    if (closing) this.#fail(new LoadConnectionError(printableReply(reply)))
  }
}

const longestReply = 64 * 1024

/** The command whose refusal ended the transaction. A 421 comes last and ends it wherever it stands. */
function whatRefused(
  replies: readonly string[],
  { offered, taken }: { offered: number; taken: number },
): { command: 'MAIL' | 'RCPT' | 'DATA'; reply: string } {
  const last = replies.length - 1
  if (last === 0 || !replies[0]!.startsWith('25')) return { command: 'MAIL', reply: replies[0]! }
  if (last <= offered) return { command: 'RCPT', reply: replies[last]! }
  if (taken === 0) return { command: 'RCPT', reply: replies[1]! }
  return { command: 'DATA', reply: replies[last]! }
}

export function printableReply(raw: string): string {
  const reply = parseReply(raw)
  if (reply === null) return 'not a reply'
  return [reply.code, reply.enhanced, reply.text].filter((part) => part !== null && part !== '').join(' ')
}

function place({ host, port }: LoadTarget) {
  return { host, port }
}

function tlsOptions(target: LoadTarget) {
  const { secureContext, insecure } = target.trust
  return {
    ...place(target),
    noDelay: true,
    rejectUnauthorized: !insecure,
    ...(secureContext ? { secureContext } : {}),
    ...(isIP(target.host) ? {} : { servername: target.host }),
  }
}

/** Resolves too when the socket closes: the waiting reply then tells why. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.once('drain', done)
    socket.once('close', done)
  })
}
