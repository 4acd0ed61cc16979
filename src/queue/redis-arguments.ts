/** Messages and outcomes as the flat arguments that redis-scripts.ts reads, checked before anything is sent. */

import { deadlineOf, type NewMessage, type Outcome, type QueueItem, type RateWindow } from './queue.ts'
import { countedAs, lifeMs, roomBeside, slotAt, slotsAhead, slotsPerWindow } from './rate.ts'
import { bodySize, encodeItem } from './record.ts'
import { RedisStage } from './redis-stage.ts'

export type Argument = string | number | Buffer

/** A body that goes beside a script, under a name of its own. */
export interface NamedBody {
  readonly name: string
  readonly bytes: Buffer
}

export interface PutLease {
  readonly itemIds: readonly string[]
  readonly until: number
}

/** `besideAs` names an inline body that goes beside the script. */
export function messageArguments(
  message: NewMessage,
  { lease, besideAs }: { lease?: PutLease; besideAs?: string } = {},
): readonly Argument[] {
  return [
    message.id,
    bodySize(message.body),
    ...bodyArguments(message, besideAs),
    message.items.length,
    ...message.items.flatMap((item) =>
      itemArguments(item, lease?.itemIds.includes(item.id) ? lease.until : 0),
    ),
  ]
}

export function outcomeArguments({ items, dsn }: Outcome): readonly Argument[] {
  return [
    items.length,
    dsn === null ? 0 : 1,
    ...items.flatMap((item) => itemArguments(item, 0)),
    ...(dsn === null ? [] : messageArguments(dsn)),
  ]
}

export function rateArguments(window: RateWindow, now: number): readonly Argument[] {
  const current = slotAt(window, now)
  const [first, last] = [current - slotsPerWindow, current + slotsAhead(window)]
  const { amount, most } = window
  return [countedAs(window), first, last, current, roomBeside(window), amount, lifeMs(window), most]
}

function itemArguments(item: QueueItem, leasedUntil: number): readonly Argument[] {
  const held = item.suspended === null ? 0 : 1
  return [item.id, item.connector, item.nextAttemptAt, deadlineOf(item), held, encodeItem(item), leasedUntil]
}

function bodyArguments(message: NewMessage, besideAs: string | undefined): readonly Argument[] {
  const { body } = message
  if (body.kind === 'inline') return besideAs === undefined ? ['inline', body.bytes] : ['beside', besideAs]
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
