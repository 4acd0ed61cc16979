/** A client that sends exactly the bytes it is told to, and reads whole replies. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'

export interface ConnectOptions {
  readonly port: number
  readonly localAddress?: string
  readonly tls?: boolean
}

export class SmtpClient {
  socket: Socket
  #text = ''
  #ended = false
  #wake: (() => void) | null = null

  private constructor(socket: Socket) {
    this.socket = socket
    this.#listen()
  }

  static async connect(options: ConnectOptions): Promise<SmtpClient> {
    const { port, localAddress } = options
    const target = { port, host: '127.0.0.1', ...(localAddress && { localAddress }) }
    const socket = options.tls ? connectTls({ ...target, ...anyCertificate }) : connect(target)
    const client = new SmtpClient(socket)
    await once(socket, options.tls ? 'secureConnect' : 'connect')
    return client
  }

  /** Connects, reads the greeting, says EHLO. */
  static async greet(options: ConnectOptions): Promise<SmtpClient> {
    const client = await SmtpClient.connect(options)
    await client.reply()
    await client.command('EHLO client.example.com')
    return client
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes)
  }

  /** The reply to one command, its lines joined by `\n`. */
  async command(line: string): Promise<string> {
    this.send(`${line}\r\n`)
    return await this.reply()
  }

  /** Sends a command sequence for one message and its content; the reply is that to the final dot. */
  async message(content = 'Subject: x\r\n\r\nbody\r\n', to = 'rcpt@example.org'): Promise<string> {
    await this.command('MAIL FROM:<sender@example.com>')
    await this.command(`RCPT TO:<${to}>`)
    await this.command('DATA')
    return await this.command(`${content}.`)
  }

  /** The next reply, complete; the empty string where the connection ended instead. */
  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\r\n)*\d{3}(?: [^\n]*)?\r\n/.exec(this.#text)
      if (match) {
        this.#text = this.#text.slice(match[0].length)
        return match[0].slice(0, -2).replaceAll('\r\n', '\n')
      }
      if (this.#ended) return ''
      await this.#change()
    }
  }

  /** What came and was not read as a reply. */
  get unread(): string {
    return this.#text
  }

  async ended(): Promise<void> {
    while (!this.#ended) await this.#change()
  }

  async startTls(options: ConnectionOptions = {}): Promise<string> {
    const reply = await this.command('STARTTLS')
    if (reply.startsWith('220')) await this.handshake(options)
    return reply
  }

  async handshake(options: ConnectionOptions = {}): Promise<void> {
    const plain = this.socket
    plain.removeAllListeners()
    const secure: TLSSocket = connectTls({ socket: plain, ...anyCertificate, ...options })
    this.socket = secure
    this.#text = ''
    this.#listen()
    await once(secure, 'secureConnect')
  }

  close(): void {
    this.socket.destroy()
  }

  #listen(): void {
    this.socket.setNoDelay(true)
    this.socket.setEncoding('utf8')
    this.socket.on('data', (text: string) => {
      this.#text += text
      this.#changed()
    })
    const end = () => {
      this.#ended = true
      this.#changed()
    }
    this.socket.on('end', end).on('close', end).on('error', end)
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #changed(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}

/** Which certificate it is, a test asks for itself. */
const anyCertificate: ConnectionOptions = { rejectUnauthorized: false, servername: 'relay.example.com' }
