/**
 * A connection to a filter, negotiated. It is written and read in turn, never both at once; nothing is read before it
 * is asked for, so a filter that says much fills no memory of ours.
 */
import type { Socket } from 'node:net'
import type { Session } from '../../smtp/transaction.ts'
import {
  type MilterReply,
  type Negotiated,
  offer,
  type Packet,
  PacketDecoder,
  parseMilterReply,
  parseNegotiation,
  quit,
} from './milter-protocol.ts'
import { connectTo, type SocketAddress } from './socket-address.ts'

/** The filter is not there any more. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost'
}

/** Commands that are not answered go out together, up to here. */
const mostWaitingBytes = 64 * 1024

export class MilterConnection {
  readonly #socket: Socket
  readonly #decoder = new PacketDecoder()
  #packets: Packet[] = []
  #outgoing: Buffer[] = []
  #outgoingBytes = 0
  #failure: unknown = null
  /** Called once, at the next thing that happens on the socket. */
  #wake: (() => void) | null = null
  #negotiated: Negotiated | null = null
  /** The filter has said something since `begin`. */
  #heard = false
  /** Whom the filter believes to be connected; null where it waits for a client. */
  client: Session | null = null

  static async open(address: SocketAddress, signal: AbortSignal): Promise<MilterConnection> {
    const connection = new MilterConnection(await connectTo(address, signal))
    return connection.during(signal, async () => {
      await connection.write(offer())
      connection.#negotiated = parseNegotiation(await connection.#receive())
      return connection
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    const woken = (): void => this.#awake()
    socket.on('readable', woken).on('drain', woken)
    socket.on('end', () => this.#fail(new ConnectionLost('closed the connection')))
    socket.on('close', () => this.#fail(new ConnectionLost('closed the connection')))
    socket.on('error', (error) =>
      this.#fail(new ConnectionLost(`the connection broke: ${error.message}`, { cause: error })),
    )
  }

  get negotiated(): Negotiated {
    if (this.#negotiated === null) throw new Error('Nothing was negotiated yet')
    return this.#negotiated
  }

  get heard(): boolean {
    return this.#heard
  }

  /** What fails ends the connection, and so does the signal: its reason is what `work` rejects with then. */
  async during<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const onAbort = (): void => this.#fail(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#heard = false
    try {
      return await work()
    } catch (error) {
      this.#fail(error)
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Goes out with the next `flush` or `reply`; a promise only where the filter has to be waited for. */
  write(bytes: Buffer): Promise<void> | undefined {
    this.#outgoing.push(bytes)
    this.#outgoingBytes += bytes.length
    return this.#outgoingBytes < mostWaitingBytes ? undefined : this.flush()
  }

  async flush(): Promise<void> {
    this.#refuseAfterFailure()
    if (this.#outgoing.length > 0) this.#socket.write(Buffer.concat(this.#outgoing))
    this.#outgoing = []
    this.#outgoingBytes = 0
    while (this.#socket.writableNeedDrain) await this.#change()
  }

  async reply(): Promise<MilterReply> {
    return parseMilterReply(await this.#receive())
  }

  /** Said without waiting for anything, nor for whether it arrives: it ends what the filter has decided already. */
  tell(bytes: Buffer): void {
    if (this.#failure === null) this.#socket.write(bytes)
  }

  /** Nothing is due from a connection that rests: whatever comes makes it useless. False where it is already. */
  rest(onLost: () => void): boolean {
    const isQuiet = this.#failure === null && this.#packets.length === 0 && this.#socket.readableLength === 0
    if (isQuiet) this.#wake = onLost
    return isQuiet
  }

  resume(): void {
    this.#wake = null
  }

  /** Takes leave, without waiting for anything. */
  quit(): void {
    this.#wake = null
    this.tell(quit)
    this.#failure ??= new ConnectionLost('the connection was given up')
    this.#socket.destroySoon()
  }

  async #receive(): Promise<Packet> {
    // What came before the end of the connection still counts.
    if (this.#outgoing.length > 0) await this.flush()
    for (;;) {
      const packet = this.#packets.shift()
      if (packet !== undefined) {
        this.#heard = true
        return packet
      }
      this.#refuseAfterFailure()
      const chunk: Buffer | null = this.#socket.read()
      if (chunk !== null) this.#packets = this.#decoder.decode(chunk)
      else await this.#change()
    }
  }

  #refuseAfterFailure(): void {
    if (this.#failure !== null) throw this.#failure
  }

  /** Until something happened; throws where that was the end. */
  async #change(): Promise<void> {
    this.#refuseAfterFailure()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#refuseAfterFailure()
  }

  #awake(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }

  #fail(reason: unknown): void {
    this.#failure ??= reason
    this.#socket.destroy()
    this.#awake()
  }
}
