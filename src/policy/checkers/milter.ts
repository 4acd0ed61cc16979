/**
 * A mail filter that speaks the milter protocol, as rspamd, ClamAV's milter, OpenDKIM and amavis do: each message is
 * told to it at the end of DATA, and its changes are made. Connections are kept for the next message. One that died
 * while it was kept is replaced, once, before anything is reported.
 */
import type { CheckerConfig } from '../../config/policy-schema.ts'
import type { CheckedMessage, Checker, CheckerVerdict } from './checker.ts'
import { ConnectionLost, MilterConnection } from './milter-connection.ts'
import { type LeftFor, Replay } from './milter-replay.ts'
import { parseSocketAddress, type SocketAddress } from './socket-address.ts'

type MilterConfig = Extract<CheckerConfig, { kind: 'milter' }>

export interface MilterOptions extends Pick<MilterConfig, 'name' | 'address' | 'concurrency'> {
  /** What the relay calls itself. */
  readonly hostname: string
  /** How long a connection is kept without a message. */
  readonly idleMs?: number
}

interface Resting {
  readonly connection: MilterConnection
  readonly leftFor: LeftFor
  readonly timer: NodeJS.Timeout
}

export class MilterChecker implements Checker {
  readonly name: string
  readonly #address: SocketAddress
  readonly #hostname: string
  /** Of connections, kept ones included. How many messages come at a time is the guard's to say. */
  readonly #concurrency: number
  readonly #idleMs: number
  /** The one that rests longest first. */
  #resting: Resting[] = []
  #busy = 0
  #closed = false

  constructor({ name, address, concurrency, hostname, idleMs = 30_000 }: MilterOptions) {
    this.name = name
    this.#address = parseSocketAddress(address)
    this.#hostname = hostname
    this.#concurrency = concurrency
    this.#idleMs = idleMs
  }

  async check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    this.#busy++
    try {
      return (await this.#overKept(message, signal)) ?? (await this.#overNew(message, signal))
    } finally {
      this.#busy--
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { connection } of [...this.#resting]) this.#dismiss(connection)
  }

  /** Null where no connection is kept that can be used, or it turns out to be dead. */
  async #overKept(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict | null> {
    const { session } = message.transaction
    const kept =
      this.#resting.find(({ connection }) => connection.client === session) ??
      this.#resting.find(({ leftFor }) => leftFor === 'anyClient')
    if (kept === undefined) return null
    this.#wakeUp(kept.connection)
    try {
      return await this.#over(kept.connection, { message, signal })
    } catch (error) {
      if (error instanceof ConnectionLost && !kept.connection.heard) return null
      throw error
    }
  }

  async #overNew(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    const [oldest] = this.#resting
    if (oldest !== undefined && this.#busy + this.#resting.length > this.#concurrency)
      this.#dismiss(oldest.connection)
    return this.#over(await MilterConnection.open(this.#address, signal), { message, signal })
  }

  async #over(
    connection: MilterConnection,
    { message, signal }: { message: CheckedMessage; signal: AbortSignal },
  ): Promise<CheckerVerdict> {
    const replay = new Replay(connection, { message, hostname: this.#hostname })
    const verdict = await connection.during(signal, () => replay.run())
    this.#keep(connection, replay.left)
    return verdict
  }

  #keep(connection: MilterConnection, leftFor: LeftFor): void {
    if (leftFor === 'nobody' || this.#closed || !connection.rest(() => this.#dismiss(connection))) {
      connection.quit()
      return
    }
    const timer = setTimeout(() => this.#dismiss(connection), this.#idleMs)
    this.#resting.push({ connection, leftFor, timer })
  }

  #wakeUp(connection: MilterConnection): void {
    connection.resume()
    const kept = this.#resting.find((each) => each.connection === connection)
    clearTimeout(kept?.timer)
    this.#resting = this.#resting.filter((each) => each !== kept)
  }

  #dismiss(connection: MilterConnection): void {
    this.#wakeUp(connection)
    connection.quit()
  }
}
