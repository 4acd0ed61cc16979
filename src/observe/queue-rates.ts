/**
 * How fast each connector's queue fills and empties on this node (Exchange: IncomingRate, OutgoingRate): messages a
 * second, of which those of the last minute count most. `note` stands on the way of every message, so a rate is one
 * number that fades; it has no clock of its own.
 */
import type { MailEvent } from './events.ts'

export interface QueueRate {
  readonly incoming: number
  readonly outgoing: number
}

/** After this time what was counted weighs 1/e of what it did. */
const fadeMs = 60_000
/** Connectors come and go; of so many, those without traffic are forgotten. */
const mostQueues = 2000
/** Less than one in a quarter of an hour is shown as none. */
const nothing = 0.001

class FadingRate {
  #perSecond = 0
  #countedAt = 0

  count(now: number): void {
    this.#perSecond = this.at(now) + 1000 / fadeMs
    this.#countedAt = now
  }

  at(now: number): number {
    const rate = this.#perSecond * Math.exp(-Math.max(0, now - this.#countedAt) / fadeMs)
    return rate < nothing ? 0 : rate
  }
}

export class QueueRates {
  readonly #queues = new Map<string, { readonly incoming: FadingRate; readonly outgoing: FadingRate }>()

  note(event: MailEvent, now: number): void {
    switch (event.event) {
      case 'accepted':
        this.#enter(event.recipients, now)
        break
      case 'dsn':
        this.#queue(event.connector, now).incoming.count(now)
        break
      case 'rerouted':
        this.#queue(event.connector, now).incoming.count(now)
        if (event.fromConnector !== undefined) this.#queue(event.fromConnector, now).outgoing.count(now)
        break
      case 'delivered':
      case 'failed':
      case 'expired':
      case 'removed':
        this.#queue(event.connector, now).outgoing.count(now)
        break
    }
  }

  of(connector: string, now: number): QueueRate {
    const rates = this.#queues.get(connector)
    return { incoming: rates?.incoming.at(now) ?? 0, outgoing: rates?.outgoing.at(now) ?? 0 }
  }

  /** A message is one item in the queue of each connector that it leaves by. */
  #enter(recipients: readonly { readonly connector: string }[], now: number): void {
    const entered: string[] = []
    for (const { connector } of recipients) {
      if (connector === entered.at(-1) || entered.includes(connector)) continue
      entered.push(connector)
      this.#queue(connector, now).incoming.count(now)
    }
  }

  #queue(connector: string, now: number) {
    const known = this.#queues.get(connector)
    if (known !== undefined) return known
    if (this.#queues.size >= mostQueues) this.#forget(now)
    const rates = { incoming: new FadingRate(), outgoing: new FadingRate() }
    this.#queues.set(connector, rates)
    return rates
  }

  #forget(now: number): void {
    for (const [connector, { incoming, outgoing }] of this.#queues)
      if (incoming.at(now) + outgoing.at(now) === 0) this.#queues.delete(connector)
  }
}
