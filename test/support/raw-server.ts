/**
 * A scripted SMTP host that answers with exact bytes, so that a test can have it say what no honest host says.
 * It keeps every byte it received, those in clear apart from those inside TLS: what is not there was not sent.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContextOptions, TLSSocket, type TlsOptions } from 'node:tls'

/** Says nothing any more, and goes on listening. */
export const silence = Symbol('silence')
/** Ends the connection with FIN. */
export const hangUp = Symbol('hang up')
/** Ends it with RST. */
export const reset = Symbol('reset')

type Act = string | Buffer | typeof silence | typeof hangUp | typeof reset
/** An answer is written as it is, with its CRLF; several are done in turn. */
export type Answer = Act | readonly Act[] | ((line: string, session: RawSession) => Answer | Promise<Answer>)

/**
 * Answers by the command they are for. A command is answered by the longest key it begins with, in upper
 * case. Beside commands: `connect` (greeting), `user` and `password` (lines of AUTH LOGIN), `body` (each
 * chunk after 354, before the dot has come), `.` (the final dot).
 */
export type Script = Readonly<Record<string, Answer>>

export interface RawServerOptions {
  readonly script?: Script
  /** Makes STARTTLS work; with `implicit` TLS begins at once. */
  readonly tls?: SecureContextOptions & Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized'>
  readonly implicit?: boolean
  /** Writes answers one byte at a time. */
  readonly bytewise?: boolean
  /** Where it listens, if not on a free port of 127.0.0.1. */
  readonly address?: string
  readonly port?: number
}

export interface RawMessage {
  /** Commands of its transaction. */
  readonly envelope: readonly string[]
  /** The octets after 354 as they came, without the final dot's line. */
  readonly data: Buffer
}

/** EHLO's answer with these lines after the host's name. */
export function ehlo(...extensions: readonly string[]): string {
  const lines = ['mx.example.net at your service', ...extensions]
  return lines.map((line, index) => `250${index < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('')
}

const wellBehaved: Script = {
  connect: '220 mx.example.net ESMTP\r\n',
  EHLO: ehlo('PIPELINING', 'SIZE 10485760', '8BITMIME', 'SMTPUTF8', 'DSN', 'STARTTLS', 'AUTH PLAIN LOGIN'),
  HELO: '250 mx.example.net\r\n',
  STARTTLS: '220 2.0.0 Go ahead\r\n',
  'AUTH PLAIN': '235 2.7.0 Welcome\r\n',
  'AUTH LOGIN': '334 VXNlcm5hbWU6\r\n',
  user: '334 UGFzc3dvcmQ6\r\n',
  password: '235 2.7.0 Welcome\r\n',
  MAIL: '250 2.1.0 Sender ok\r\n',
  RCPT: '250 2.1.5 Recipient ok\r\n',
  DATA: '354 Go on\r\n',
  '.': '250 2.0.0 Queued as 4711\r\n',
  RSET: '250 2.0.0 Reset\r\n',
  QUIT: ['221 2.0.0 Bye\r\n', hangUp],
}

export class RawServer {
  readonly sessions: RawSession[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  static async start(options: RawServerOptions = {}): Promise<RawServer> {
    const server = new RawServer(options)
    const { address = '127.0.0.1', port = 0 } = options
    await new Promise<void>((resolve) => server.#server.listen(port, address, resolve))
    return server
  }

  private constructor(options: RawServerOptions) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      this.sessions.push(new RawSession(socket, options))
    })
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** The first connection. */
  get session(): RawSession {
    const [session] = this.sessions
    if (!session) throw new Error('Nobody has connected')
    return session
  }

  get messages(): readonly RawMessage[] {
    return this.sessions.flatMap((session) => session.messages)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

type Mode = 'command' | 'user' | 'password' | 'data'

export class RawSession {
  readonly commands: string[] = []
  readonly messages: RawMessage[] = []
  /** Each read inside the session: what left the client in one write arrives, on loopback, in one. */
  readonly reads: Buffer[] = []
  readonly closed: Promise<void>
  #clear: Buffer[] = []
  #secure: Buffer[] = []
  readonly #options: RawServerOptions
  readonly #script: Script
  #socket: Socket
  #pending = Buffer.alloc(0)
  #mode: Mode = 'command'
  #envelope: string[] = []
  #data: Buffer[] = []
  #silent = false
  #working = Promise.resolve()

  constructor(socket: Socket, options: RawServerOptions) {
    this.#socket = socket
    this.#options = options
    this.#script = { ...wellBehaved, ...options.script }
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    // A client that resets the connection is one of the things under test.
    socket.on('error', () => {})
    if (options.implicit) this.#upgrade()
    else this.#listen((chunk) => this.#clear.push(chunk))
    this.#then(() => this.#act(this.#script.connect!, ''))
  }

  /** Everything received outside TLS, including the client's first TLS record if it came. */
  get clear(): string {
    return Buffer.concat(this.#clear).toString('latin1')
  }

  /** Everything received inside TLS. */
  get secure(): string {
    return Buffer.concat(this.#secure).toString('latin1')
  }

  get tls(): TLSSocket | null {
    return this.#socket instanceof TLSSocket ? this.#socket : null
  }

  async #act(answer: Answer, line: string): Promise<void> {
    const acts = await this.#resolved(answer, line)
    for (const act of Array.isArray(acts) ? acts : [acts]) {
      if (act === silence) this.#silent = true
      if (this.#silent) return
      if (act === hangUp) this.#socket.end()
      else if (act === reset) this.#socket.resetAndDestroy()
      else await this.say(act)
    }
  }

  async say(bytes: string | Buffer): Promise<void> {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)
    const pieces = this.#options.bytewise ? [...buffer].map((byte) => Buffer.of(byte)) : [buffer]
    for (const piece of pieces) await new Promise((resolve) => this.#socket.write(piece, resolve))
  }

  end(): void {
    this.#socket.end()
  }

  /** Reads nothing more until the returned function is called. */
  pause(): () => void {
    this.#socket.pause()
    return () => this.#socket.resume()
  }

  #listen(keep: (chunk: Buffer) => void): void {
    this.#socket.on('data', (chunk: Buffer) => {
      keep(chunk)
      this.reads.push(chunk)
      this.#then(() => this.#read(chunk))
    })
  }

  /** Answers are given one after another, however the commands came. */
  #then(work: () => Promise<void>): void {
    this.#working = this.#working.then(work).catch(() => {
      this.#socket.destroy()
    })
  }

  async #read(chunk: Buffer): Promise<void> {
    if (this.#mode === 'data') return this.#readData(chunk)
    this.#pending = Buffer.concat([this.#pending, chunk])
    for (;;) {
      const end = this.#pending.indexOf('\r\n')
      if (end < 0) return
      const line = this.#pending.subarray(0, end).toString('utf8')
      const rest = this.#pending.subarray(end + 2)
      this.#pending = rest
      const mode = await this.#command(line)
      if (mode === 'data') {
        this.#pending = Buffer.alloc(0)
        return this.#readData(rest)
      }
    }
  }

  async #readData(chunk: Buffer): Promise<void> {
    // The dot may stand at the very beginning, and its line may come in pieces.
    const tail = Buffer.concat([Buffer.from('\r\n'), ...this.#data.slice(-5)]).subarray(-4)
    const seam = Buffer.concat([tail, chunk])
    const end = seam.indexOf('\r\n.\r\n')
    this.#data.push(chunk)
    if (end < 0) {
      if (this.#script.body !== undefined && chunk.length > 0) await this.#act(this.#script.body, '')
      return
    }
    const all = Buffer.concat(this.#data)
    const after = seam.length - end - 5
    this.messages.push({ envelope: this.#envelope, data: all.subarray(0, all.length - after - 3) })
    this.#data = []
    this.#envelope = []
    this.#mode = 'command'
    await this.#act(this.#script['.']!, '.')
    await this.#read(all.subarray(all.length - after))
  }

  /** Answers one line; returns the mode in which the next one is read. */
  async #command(line: string): Promise<Mode> {
    this.commands.push(line)
    if (this.#mode !== 'command') {
      await this.#login(line)
      return this.#mode
    }
    const key = this.#key(line)
    if (/^(MAIL|RCPT)/i.test(line)) this.#envelope.push(line)
    const answer = await this.#resolved(this.#script[key] ?? '502 5.5.1 Command not implemented\r\n', line)
    await this.#act(answer, line)
    const first = String(Array.isArray(answer) ? answer[0] : answer)
    if (key === 'STARTTLS' && first.startsWith('220') && this.#options.tls) this.#upgrade()
    if (key === 'AUTH LOGIN' && first.startsWith('334')) this.#mode = 'user'
    if (key === 'DATA' && first.startsWith('354')) this.#mode = 'data'
    return this.#mode
  }

  async #login(line: string): Promise<void> {
    const answer = await this.#resolved(this.#script[this.#mode]!, line)
    const goesOn = this.#mode === 'user' && String(answer).startsWith('334')
    this.#mode = goesOn ? 'password' : 'command'
    await this.#act(answer, line)
  }

  async #resolved(answer: Answer, line: string): Promise<Act | readonly Act[]> {
    return typeof answer === 'function' ? this.#resolved(await answer(line, this), line) : answer
  }

  #key(line: string): string {
    const upper = line.toUpperCase()
    const keys = Object.keys(this.#script).filter((key) => upper.startsWith(key.toUpperCase()))
    return keys.sort((a, b) => b.length - a.length)[0] ?? ''
  }

  #upgrade(): void {
    const { tls = {} } = this.#options
    const plain = this.#socket
    plain.removeAllListeners('data')
    this.#pending = Buffer.alloc(0)
    this.#socket = new TLSSocket(plain, {
      isServer: true,
      secureContext: createSecureContext(tls),
      requestCert: tls.requestCert ?? false,
      rejectUnauthorized: tls.rejectUnauthorized ?? false,
    })
    this.#socket.on('error', () => plain.destroy())
    this.#listen((chunk) => this.#secure.push(chunk))
  }
}
