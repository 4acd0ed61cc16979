/**
 * What one message asks of a limit, and what is said where there is no room for it. A limit over a time is counted
 * in windows that slide (queue/rate.ts), so that it holds in every minute, hour or day, wherever it begins.
 */
import type { Limit } from '../config/policy-schema.ts'
import { formatSize } from '../config/units.ts'
import { dayMs, hourMs, minuteMs } from '../config/values.ts'
import type { RateWindow } from '../queue/queue.ts'
import { permanent, printable, type Reply, temporary } from '../reply.ts'

export interface MessageAmounts {
  readonly recipients: number
  readonly sizeBytes: number
}

/** A limit and the one whose count it keeps. */
export interface Held {
  readonly limit: Limit
  /** As `LimitHolders` writes it. */
  readonly holder: string
}

/** Empty where the limit is none over a time. */
export function limitWindows(limit: Limit, amounts: MessageAmounts): readonly RateWindow[] {
  return rates.flatMap(([name, measure, windowMs]) => {
    const most = limit[name]
    return most === null ? [] : [{ limit: name, windowMs, most, amount: amountOf(measure, amounts) }]
  })
}

/** The window that has no room for a message even when nothing else is counted; null where each could have. */
export function neverFitting(windows: readonly RateWindow[]): RateWindow | null {
  return windows.find(({ amount, most }) => amount > most) ?? null
}

export function tooLarge({ limit, holder }: Held, maxMessageSize: number): Reply {
  const text = `Message too large, the limit ${limit.name} of ${nouns[limit.per]} ${holder} is ${maxMessageSize} bytes`
  return permanent('3.4', printable(text), 552)
}

/** What is said while there is no room; `retryAt` is when there may be again. */
export function noRoom(held: Held, window: RateWindow, retryAt: number): Reply {
  const reached = `The limit ${held.limit.name} is reached: ${allowance(held, window)}`
  if (held.limit.over === 'reject') return permanent('7.28', printable(reached))
  const again = `there is room again at ${new Date(secondAfter(retryAt)).toISOString().replace('.000', '')}`
  return temporary('7.28', printable(`${reached}; ${again}`))
}

/** The same at any time: whoever is told to try again would do so for ever. */
export function neverRoom(held: Held, window: RateWindow): Reply {
  const much = `the message has ${counted(window.amount, window)}`
  return permanent('7.28', printable(`The limit ${held.limit.name}: ${allowance(held, window)}; ${much}`))
}

type Measure = 'messages' | 'recipients' | 'bytes'

const rates = [
  ['messagesPerMinute', 'messages', minuteMs],
  ['messagesPerHour', 'messages', hourMs],
  ['messagesPerDay', 'messages', dayMs],
  ['recipientsPerMinute', 'recipients', minuteMs],
  ['recipientsPerHour', 'recipients', hourMs],
  ['recipientsPerDay', 'recipients', dayMs],
  ['bytesPerMinute', 'bytes', minuteMs],
  ['bytesPerHour', 'bytes', hourMs],
  ['bytesPerDay', 'bytes', dayMs],
] as const

const nouns: Record<Limit['per'], string> = {
  sender: 'sender',
  senderDomain: 'sender domain',
  client: 'client',
  user: 'user',
  listener: 'listener',
}

function amountOf(measure: Measure, { recipients, sizeBytes }: MessageAmounts): number {
  if (measure === 'messages') return 1
  return measure === 'recipients' ? recipients : sizeBytes
}

function allowance({ limit, holder }: Held, window: RateWindow): string {
  const span = window.windowMs === minuteMs ? 'minute' : window.windowMs === hourMs ? 'hour' : 'day'
  return `${nouns[limit.per]} ${holder} may submit ${counted(window.most, window)} per ${span}`
}

function counted(amount: number, window: RateWindow): string {
  const [, measure = 'messages'] = rates.find(([name]) => name === window.limit) ?? []
  if (measure === 'bytes') return formatSize(amount).replace(/\d$/, '$& bytes')
  return `${amount} ${amount === 1 ? measure.slice(0, -1) : measure}`
}

const secondAfter = (at: number): number => Math.ceil(at / 1000) * 1000
