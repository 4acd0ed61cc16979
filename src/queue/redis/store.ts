/** The partitions of one store: takes steps in them, hears how full they are, and sets aside what cannot be read. */
import { randomBytes } from 'node:crypto'
import type { Log } from '../../observe/log.ts'
import type { QueueItem } from '../queue.ts'
import { decodeItem } from '../record.ts'
import type { Argument, BodiesBeside } from './arguments.ts'
import type { Patience, RedisConnection } from './connection.ts'
import type { RedisScript } from './scripts.ts'

/** For steps that a caller waits for and that can be asked again. */
export const asking: Patience = { downMs: 2000, unknownMs: 10_000 }

export interface Level {
  readonly items: number
  readonly bytes: number
}

export class RedisStore {
  readonly connection: RedisConnection
  readonly partitions: readonly number[]
  readonly #log: Log
  /** Makes call ids unique among all processes and over time. */
  readonly #process = randomBytes(6).toString('base64url')
  #calls = 0
  /** What each partition holds, as last heard. */
  readonly #levels: Level[]
  readonly #reserved: Level[]

  constructor(connection: RedisConnection, options: { log: Log }) {
    this.connection = connection
    this.#log = options.log
    this.partitions = Array.from({ length: connection.partitions }, (_, partition) => partition)
    this.#levels = this.partitions.map(() => ({ items: 0, bytes: 0 }))
    this.#reserved = [...this.#levels]
  }

  /** Names one call of the port, so that its repetitions are known for the same call. */
  newCall(): string {
    this.#calls += 1
    return `${this.#process}.${this.#calls.toString(36)}`
  }

  /** Takes a step until it is confirmed; its answer is what its script says. */
  step(
    script: RedisScript,
    partition: number,
    args: readonly Argument[],
    patience: Patience = asking,
  ): Promise<readonly string[]> {
    return this.connection.run(script, partition, args, patience)
  }

  /** As `step`, for a script that takes many steps: the answer of each. */
  async groupStep(
    script: RedisScript,
    partition: number,
    { args, bodies }: { args: readonly Argument[]; bodies?: BodiesBeside },
    patience: Patience,
  ): Promise<readonly (readonly string[])[]> {
    const answers =
      bodies === undefined
        ? await this.connection.run(script, partition, args, patience)
        : await this.#stepBeside(script, partition, { args, bodies, patience })
    return answers as readonly (readonly string[])[]
  }

  async #stepBeside(
    script: RedisScript,
    partition: number,
    { args, bodies, patience }: { args: readonly Argument[]; bodies: BodiesBeside; patience: Patience },
  ): Promise<unknown> {
    try {
      return await this.connection.runBeside(script, partition, { bodies, args }, patience)
    } catch (error) {
      // A script that is refused leaves them. Where Redis is away it took neither, or both.
      if (this.connection.ready) void this.#discard(partition, bodies.name)
      throw error
    }
  }

  /** Nobody waits for it: what stays costs room in Redis and nothing else. */
  async #discard(partition: number, name: string): Promise<void> {
    try {
      await this.step('discardBodies', partition, [name])
    } catch (error) {
      this.#log.warn({ reason: String(error) }, 'Bodies of refused messages are left in Redis')
    }
  }

  /** As `step`, for answers with records and bodies in them. */
  bytesStep(
    script: RedisScript,
    partition: number,
    args: (again: boolean) => readonly Argument[],
  ): Promise<unknown> {
    return this.connection.runForBytes(script, partition, args, asking)
  }

  heard(partition: number, level: readonly [items: string | undefined, bytes: string | undefined]): void {
    this.#levels[partition] = { items: Number(level[0]), bytes: Number(level[1]) }
  }

  /** Asks every partition what it holds. */
  async hear(): Promise<void> {
    await Promise.all(
      this.partitions.map(async (partition) => {
        const [items, bytes] = await this.step('readLevel', partition, [])
        this.heard(partition, [items, bytes])
      }),
    )
  }

  /** Counts what is on its way to a partition, until the function it returns is called. */
  reserve(partition: number, level: Level): () => void {
    const add = (sign: 1 | -1) => {
      const { items, bytes } = this.#reserved[partition]!
      this.#reserved[partition] = { items: items + sign * level.items, bytes: bytes + sign * level.bytes }
    }
    add(1)
    return () => add(-1)
  }

  /** What the partitions other than this one hold, and what is on its way there from here. */
  elsewhere(partition: number): Level {
    let items = 0
    let bytes = 0
    for (const levels of [this.#levels, this.#reserved])
      for (const [n, level] of levels.entries()) {
        items += n === partition ? 0 : level.items
        bytes += n === partition ? 0 : level.bytes
      }
    return { items, bytes }
  }

  /** The item of a record; null where there is none in it, and then the record is set aside. */
  async decode(itemId: string, record: Buffer): Promise<QueueItem | null> {
    const item = decodeItem(record.toString())
    if (item?.id === itemId) return item
    this.#log.error({ itemId }, 'A record of the queue cannot be read: it is set aside')
    await this.step('setItemAside', this.connection.partitionOf(itemId), [itemId, record])
    return null
  }
}
