/**
 * A mail filter of a test's own, that speaks the milter protocol over a real socket: it answers as the test says, in
 * exact bytes, and keeps what it was told. It shares nothing with our client but the protocol.
 */
import type { Socket } from 'node:net'
import { SocketServer } from './socket-server.ts'

/** Reads on and says nothing. */
export const nothing: readonly Buffer[] = []
/** Ends the connection, and hears nothing more. */
export const hangUp = Symbol('hang up')

export type Answer = Act | readonly Act[]
type Act = Buffer | typeof hangUp
/** By the command's letter; what is not named is answered with CONTINUE. */
export type Script = Readonly<
  Record<string, Answer | ((told: string, session: FilterSession) => Answer | Promise<Answer>)>
>

export interface FilterOptions {
  readonly script?: Script
  readonly where?: 'unix'
  readonly version?: number
  readonly actions?: number
  /** Steps it declines, or promises not to answer; see `unanswered`. */
  readonly flags?: number
  /** What follows the flags: lists of macros. */
  readonly macros?: Buffer
  /** Writes one byte at a time. */
  readonly bytewise?: boolean
}

/** Nothing but the end of the message is answered. */
export const unanswered = [7, 12, 13, 14, 15, 16, 17, 18, 19].reduce((flags, bit) => flags | (1 << bit), 0)
const silentBits: Readonly<Record<string, number>> = { C: 12, H: 13, M: 14, R: 15, T: 16, L: 7, N: 18, B: 19 }

/** A reply: numbers take four octets, strings end with NUL. */
export function says(command: string, ...parts: readonly (number | string | Buffer)[]): Buffer {
  const data = Buffer.concat(parts.map(octets))
  return Buffer.concat([octets(data.length + 1), Buffer.from(command, 'latin1'), data])
}

function octets(part: number | string | Buffer): Buffer {
  if (Buffer.isBuffer(part)) return part
  if (typeof part === 'string') return Buffer.from(`${part}\0`)
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(part)
  return bytes
}

export class MilterServer {
  readonly sessions: FilterSession[] = []
  readonly #server: SocketServer

  static async start(options: FilterOptions = {}): Promise<MilterServer> {
    const sessions: FilterSession[] = []
    const server = await SocketServer.start(
      (socket) => sessions.push(new FilterSession(socket, options)),
      options.where,
    )
    return new MilterServer(server, sessions)
  }

  private constructor(server: SocketServer, sessions: FilterSession[]) {
    this.#server = server
    this.sessions = sessions
  }

  get address(): string {
    return this.#server.address
  }

  /** Of the first connection. */
  get told(): readonly string[] {
    return this.sessions[0]?.told ?? []
  }

  /** Resolves when the nth connection, from 0, is over. */
  over(n = 0): Promise<void> {
    return this.#server.over(n)
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}

export class FilterSession {
  /** The command and its data, NULs as `|`: `M <sender@example.com>|SIZE=100|`. */
  readonly told: string[] = []
  readonly #socket: Socket
  readonly #options: FilterOptions
  #pending = Buffer.alloc(0)

  constructor(socket: Socket, options: FilterOptions) {
    this.#socket = socket
    this.#options = options
    socket.on('data', (chunk: Buffer) => {
      // What is not answered yet holds up what comes behind it, as in a filter that reads command by command.
      socket.pause()
      void this.#read(chunk).then(() => socket.resume())
    })
    socket.on('end', () => socket.end())
  }

  /** Whatever else was told, by the letters of their commands. */
  only(...commands: readonly string[]): string[] {
    return this.told.filter((each) => commands.includes(each[0]!))
  }

  hangUp(): void {
    this.#socket.end()
  }

  say(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  async #read(chunk: Buffer): Promise<void> {
    this.#pending = Buffer.concat([this.#pending, chunk])
    while (this.#pending.length >= 4 && this.#pending.length >= 4 + this.#pending.readUInt32BE(0)) {
      if (this.#socket.writableEnded) return
      const end = 4 + this.#pending.readUInt32BE(0)
      const packet = this.#pending.subarray(4, end)
      this.#pending = this.#pending.subarray(end)
      await this.#hear(packet)
    }
  }

  async #hear(packet: Buffer): Promise<void> {
    const command = packet.toString('latin1', 0, 1)
    const data = packet.toString('latin1', 1).replaceAll('\0', '|')
    this.told.push(data === '' ? command : `${command} ${data}`)
    const scripted = this.#options.script?.[command]
    const answer = typeof scripted === 'function' ? await scripted(this.told.at(-1)!, this) : scripted
    await this.#answer(answer ?? this.#usual(command))
  }

  #usual(command: string): Answer {
    const { version = 6, actions = 0x1ff, flags = 0, macros = Buffer.alloc(0) } = this.#options
    if (command === 'O') return says('O', version, actions, flags, macros)
    if (command === 'Q') return hangUp
    const bit = silentBits[command]
    if (command === 'E' || (bit !== undefined && (flags & (1 << bit)) === 0)) return says('c')
    return nothing
  }

  async #answer(answer: Answer): Promise<void> {
    for (const act of Array.isArray(answer) ? answer : [answer]) {
      if (act === hangUp) this.hangUp()
      else await this.#write(act)
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    const pieces = this.#options.bytewise ? [...bytes].map((byte) => Buffer.of(byte)) : [bytes]
    for (const piece of pieces) await new Promise((resolve) => this.#socket.write(piece, resolve))
  }
}
