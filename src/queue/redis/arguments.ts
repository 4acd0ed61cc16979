/** Messages and outcomes as the flat arguments that scripts.ts reads, checked before anything is sent. */

import { deadlineOf, type NewMessage, type Outcome, type QueueItem, type RateWindow } from '../queue.ts'
import { countedAs, lifeMs, roomBeside, slotAt, slotsAhead, slotsPerWindow } from '../rate.ts'
import { bodySize, encodeItem } from '../record.ts'
import { RedisStage } from './stage.ts'

export type Argument = string | number | Buffer

/** Bodies that go beside a script, together under a name of their own: field and bytes in turn. */
export interface BodiesBeside {
  readonly name: string
  readonly fields: readonly (string | Buffer)[]
}

export interface PutLease {
  readonly itemIds: readonly string[]
  readonly until: number
}

/** `isBeside` where an inline body goes beside the script. */
export function messageArguments(
  message: NewMessage,
  { lease, isBeside = false }: { lease?: PutLease; isBeside?: boolean } = {},
): readonly Argument[] {
  const { id, body, items } = message
  const [where, bodyOrName] = bodyArguments(message, isBeside)
  const args: Argument[] = [id, bodySize(body), where, bodyOrName, items.length]
  for (const item of items) addItem(args, item, lease?.itemIds.includes(item.id) ? lease.until : 0)
  return args
}

export function outcomeArguments({ items, dsn }: Outcome): readonly Argument[] {
  const args: Argument[] = [items.length, dsn === null ? 0 : 1]
  for (const item of items) addItem(args, item, 0)
  if (dsn !== null) args.push(...messageArguments(dsn))
  return args
}

export function rateArguments(window: RateWindow, now: number): readonly Argument[] {
  const current = slotAt(window, now)
  const [first, last] = [current - slotsPerWindow, current + slotsAhead(window)]
  const { amount, most } = window
  return [countedAs(window), first, last, current, roomBeside(window), amount, lifeMs(window), most]
}

/** One item among the arguments: what itemWidth in lua.ts counts. */
function addItem(args: Argument[], item: QueueItem, leasedUntil: number): void {
  const held = item.suspended === null ? 0 : 1
  args.push(
    item.id,
    item.connector,
    item.nextAttemptAt,
    deadlineOf(item),
    held,
    encodeItem(item),
    leasedUntil,
  )
}

function bodyArguments(
  message: NewMessage,
  isBeside: boolean,
): readonly [where: Argument, bodyOrName: Argument] {
  const { body } = message
  if (body.kind === 'inline') return isBeside ? ['beside', ''] : ['inline', body.bytes]
  const { chunks, name } = stageOf(message)
  return chunks === 0 ? ['inline', ''] : [chunks, name]
}

/** The stage of a message whose body is staged. */
function stageOf(message: NewMessage): RedisStage {
  if (message.body.kind === 'staged' && message.body.stage instanceof RedisStage) return message.body.stage
  throw new TypeError(
    `Cannot queue message ${JSON.stringify(message.id)}: its body is not staged in this store`,
  )
}
