/**
 * Taking items under lease, oldest first. Each script call takes a bounded number, so that it never holds up other
 * nodes for long. Where there are several partitions, all are looked at first and then each is asked for its share,
 * so that the order holds over all of them.
 */
import { type Claim, type ClaimOptions, deadlineOf, type LeasedItem } from '../queue.ts'
import type { Argument } from './arguments.ts'
import type { RedisStore } from './store.ts'

interface Leasing {
  readonly now: number
  readonly leaseMs: number
  /** Whether leases that ran out are taken back first. */
  readonly reclaim: boolean
}

interface Wanted {
  readonly connector: string
  readonly limit: number
}

/** What one call may take or look at, at most. */
const mostItems = 100
const mostBytes = 2 * 1024 * 1024
const mostConnectors = 200

export async function claimDue(store: RedisStore, options: ClaimOptions & Leasing): Promise<Claim> {
  if (store.partitions.length === 1) return claimFrom(store, 0, options.connectors, options)
  const leased: LeasedItem[] = []
  let wanted: readonly Wanted[] = options.connectors
  for (;;) {
    const heads = await lookAtDue(store, wanted, options)
    const shares = new Map<number, Wanted[]>(store.partitions.map((partition) => [partition, []]))
    const nextDueAt = new Map<string, number>()
    let due = 0
    for (const { connector, limit } of wanted) {
      const queue = heads.get(connector) ?? []
      const taking = queue.slice(0, limit).filter(({ at }) => at <= options.now)
      due += taking.length
      for (const [partition, count] of counts(taking))
        shares.get(partition)!.push({ connector, limit: count })
      const next = queue[taking.length]
      if (next !== undefined) nextDueAt.set(connector, next.at)
    }
    const claims = await Promise.all(
      [...shares].map(([partition, share]) => claimFrom(store, partition, share, options)),
    )
    const taken = claims.flatMap((claim) => claim.leased)
    leased.push(...taken)
    // Short of that, others were quicker or a record could not be read, and there may be more to take.
    if (taken.length === due) return { leased: leased.sort(byNextAttempt), nextDueAt }
    wanted = options.connectors.map(({ connector, limit }) => ({
      connector,
      limit: limit - leased.filter(({ item }) => item.connector === connector).length,
    }))
  }
}

/** Items whose deadline has passed, of any connector. */
export async function claimOverdue(
  store: RedisStore,
  options: Leasing & { limit: number },
): Promise<readonly LeasedItem[]> {
  const leased: LeasedItem[] = []
  for (;;) {
    const limit = Math.min(options.limit - leased.length, mostItems)
    const heads = await Promise.all(
      store.partitions.map(async (partition) => {
        const args = leasingArguments(store, { ...options, most: limit })
        return parseHeads(partition, (await store.bytesStep('lookAtOverdue', partition, args)) as Buffer[])
      }),
    )
    const due = heads.flat().sort(byTimeAndAge).slice(0, limit)
    const taken: LeasedItem[] = []
    for (const [partition, count] of counts(due)) {
      const args = leasingArguments(store, { ...options, most: count })
      const fields = (await store.bytesStep('claimOverdue', partition, args)) as Fields
      taken.push(...(await leasedItems(store, fields, options)))
    }
    leased.push(...taken)
    const complete = due.length < limit && taken.length === due.length
    if (complete || leased.length >= options.limit) break
  }
  return leased.sort(byDeadline)
}

async function claimFrom(
  store: RedisStore,
  partition: number,
  connectors: readonly Wanted[],
  options: Leasing,
): Promise<Claim> {
  const leased: LeasedItem[] = []
  const nextDueAt = new Map<string, number>()
  let wanted = connectors
  while (wanted.length > 0) {
    const asked = wanted.slice(0, mostConnectors)
    const args = connectorArguments(store, asked, options)
    const answers = (await store.bytesStep('claimItems', partition, args)) as [Buffer, ...Fields][]
    const more: Wanted[] = []
    for (const [n, [next, ...fields]] of answers.entries()) {
      const { connector, limit } = asked[n]!
      const items = await leasedItems(store, fields, options)
      leased.push(...items)
      if (next.length === 0) nextDueAt.delete(connector)
      else nextDueAt.set(connector, Number(next))
      // It took the most that one call may, or what could not be read took the place of others.
      const rest = limit - items.length
      if (rest > 0 && fields.length > 0 && nextDueAt.has(connector) && Number(next) <= options.now)
        more.push({ connector, limit: rest })
    }
    wanted = [...wanted.slice(answers.length), ...more]
  }
  return { leased, nextDueAt }
}

/** An item as an index knows it. */
interface Head {
  readonly partition: number
  readonly id: string
  readonly at: number
}

/** The first items of each connector over all partitions, in order. */
async function lookAtDue(
  store: RedisStore,
  connectors: readonly Wanted[],
  options: Leasing,
): Promise<ReadonlyMap<string, readonly Head[]>> {
  const heads = new Map<string, Head[]>(connectors.map(({ connector }) => [connector, []]))
  await Promise.all(
    store.partitions.map(async (partition) => {
      for (let wanted = connectors; wanted.length > 0; ) {
        const asked = wanted.slice(0, mostConnectors)
        const args = connectorArguments(store, asked, options)
        const answers = (await store.bytesStep('lookAtDue', partition, args)) as Buffer[][]
        for (const [n, fields] of answers.entries())
          heads.get(asked[n]!.connector)!.push(...parseHeads(partition, fields))
        wanted = wanted.slice(answers.length)
      }
    }),
  )
  for (const queue of heads.values()) queue.sort(byTimeAndAge)
  return heads
}

function leasingArguments(
  store: RedisStore,
  options: Leasing & { most: number },
): (again: boolean) => Argument[] {
  const { now, leaseMs, reclaim, most } = options
  const call = store.newCall()
  return (again) => [now, now + leaseMs, call, again ? 1 : 0, reclaim ? 1 : 0, most, mostBytes]
}

function connectorArguments(
  store: RedisStore,
  connectors: readonly Wanted[],
  options: Leasing,
): (again: boolean) => Argument[] {
  const leasing = leasingArguments(store, { ...options, most: mostItems })
  const limits = connectors.flatMap(({ connector, limit }) => [connector, limit])
  return (again) => [...leasing(again), ...limits]
}

type Fields = (Buffer | null)[]

async function leasedItems(store: RedisStore, fields: Fields, options: Leasing): Promise<LeasedItem[]> {
  const leased: LeasedItem[] = []
  const expiresAt = options.now + options.leaseMs
  for (let at = 0; at < fields.length; at += 4) {
    const [id, token, record, body] = fields.slice(at) as [Buffer, Buffer, Buffer, Buffer | null]
    const itemId = id.toString()
    const item = await store.decode(itemId, record)
    if (item !== null) leased.push({ item, lease: { itemId, token: token.toString(), expiresAt }, body })
  }
  return leased
}

function parseHeads(partition: number, fields: readonly Buffer[]): readonly Head[] {
  return Array.from({ length: fields.length / 2 }, (_, n) => ({
    partition,
    id: fields[n * 2]!.toString(),
    at: Number(fields[n * 2 + 1]),
  }))
}

/** How many of them each partition has. */
function counts(heads: readonly Head[]): ReadonlyMap<number, number> {
  const found = new Map<number, number>()
  for (const { partition } of heads) found.set(partition, (found.get(partition) ?? 0) + 1)
  return found
}

const byTimeAndAge = (a: Head, b: Head): number => a.at - b.at || (a.id < b.id ? -1 : 1)

const byNextAttempt = ({ item: a }: LeasedItem, { item: b }: LeasedItem): number =>
  a.nextAttemptAt - b.nextAttemptAt || (a.id < b.id ? -1 : 1)

const byDeadline = ({ item: a }: LeasedItem, { item: b }: LeasedItem): number =>
  deadlineOf(a) - deadlineOf(b) || (a.id < b.id ? -1 : 1)
