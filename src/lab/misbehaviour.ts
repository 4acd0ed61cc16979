/**
 * How the sandbox is asked to misbehave: by the local part of a recipient, or of the sender, whose wish then
 * holds for the whole transaction. Everything else behaves.
 *
 * | local part            | what the sandbox does                                                            |
 * | --------------------- | -------------------------------------------------------------------------------- |
 * | `mail-451`            | answers MAIL with that 4yz or 5yz code (sender only)                             |
 * | `rcpt-550`            | answers this RCPT so; the other recipients go on                                 |
 * | `data-452`            | answers DATA so                                                                  |
 * | `dot-554`             | reads the message and answers the final dot so                                   |
 * | `reply-421`           | as `rcpt-421`; after any 421 the connection is closed                            |
 * | `hang-rcpt`           | never answers again, from there on: `mail`, `rcpt`, `data`, `dot`                |
 * | `drop-data`           | closes the connection instead of answering: `mail`, `rcpt`, `data`, `dot`        |
 * | `drop-body`           | closes as soon as the first bytes of the content arrive                          |
 * | `drop-dot-kept`       | takes the message, then closes before its 250: the duplicate SMTP cannot exclude |
 * | `slow-250`            | waits 250 ms before each further reply of the transaction                        |
 * | `flaky-30`            | answers 30 of 100 such RCPTs with 450, at random from a seed                     |
 *
 * More may follow after a dash (`rcpt-450-anna`), so that recipients differ. `-first-2` after a fault limits it
 * to the first two times the sandbox meets that address (`rcpt-450-first-2-anna`). Of several faults at one
 * stage the first one asked for counts.
 */

export type Stage = 'mail' | 'rcpt' | 'data' | 'body' | 'dot'

export type Fault =
  | { readonly kind: 'reply'; readonly code: number }
  | { readonly kind: 'hang' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'drop-kept' }

export type Misbehaviour =
  | {
      readonly kind: 'fault'
      readonly at: Stage
      readonly fault: Fault
      /** Only the first times this address is met; null is always. */
      readonly times: number | null
    }
  | { readonly kind: 'slow'; readonly delayMs: number }
  | { readonly kind: 'flaky'; readonly percent: number }

const end = '(?:-first-([1-9]\\d{0,3}))?(?:-.*)?$'
const replyPattern = new RegExp(`^(mail|rcpt|data|dot|reply)-([45]\\d\\d)${end}`)
const hangPattern = new RegExp(`^hang-(mail|rcpt|data|dot)${end}`)
const dropPattern = new RegExp(`^drop-(mail|rcpt|data|body|dot)${end}`)
const dropKeptPattern = new RegExp(`^drop-dot-kept${end}`)
const slowPattern = /^slow-(\d{1,6})(?:-.*)?$/
const flakyPattern = /^flaky-(\d{1,2}|100)(?:-.*)?$/
const anyPattern = /^(?:mail|rcpt|data|dot|reply|hang|drop|slow|flaky)-/

/** What a local part asks for; null where it asks for nothing. */
export function parseMisbehaviour(localPart: string): Misbehaviour | null {
  if (!anyPattern.test(localPart)) return null
  let match = replyPattern.exec(localPart)
  if (match) {
    const at = match[1] === 'reply' ? 'rcpt' : (match[1] as Stage)
    return fault(at, { kind: 'reply', code: Number(match[2]) }, match[3])
  }
  match = hangPattern.exec(localPart)
  if (match) return fault(match[1] as Stage, { kind: 'hang' }, match[2])
  match = dropKeptPattern.exec(localPart)
  if (match) return fault('dot', { kind: 'drop-kept' }, match[1])
  match = dropPattern.exec(localPart)
  if (match) return fault(match[1] as Stage, { kind: 'drop' }, match[2])
  match = slowPattern.exec(localPart)
  if (match) return { kind: 'slow', delayMs: Number(match[1]) }
  match = flakyPattern.exec(localPart)
  return match ? { kind: 'flaky', percent: Number(match[1]) } : null
}

function fault(at: Stage, what: Fault, times: string | undefined): Misbehaviour {
  return { kind: 'fault', at, fault: what, times: times === undefined ? null : Number(times) }
}

/** Remembers what the grammar needs memory for: how often an address was met, and the random numbers. */
export class Misbehaviours {
  readonly #random: () => number
  readonly #met = new Map<string, number>()

  constructor(random: () => number) {
    this.#random = random
  }

  /** What this address wants now. Asking counts as meeting it: ask once for each MAIL or RCPT. */
  of(address: string): Exclude<Misbehaviour, { kind: 'flaky' }> | null {
    const asked = parseMisbehaviour(address.slice(0, address.lastIndexOf('@')))
    if (asked?.kind === 'fault' && asked.times !== null)
      return this.#meet(address) <= asked.times ? asked : null
    if (asked?.kind !== 'flaky') return asked
    const fails = this.#random() * 100 < asked.percent
    return fails ? { kind: 'fault', at: 'rcpt', fault: { kind: 'reply', code: 450 }, times: null } : null
  }

  #meet(address: string): number {
    const times = (this.#met.get(address) ?? 0) + 1
    this.#met.delete(address)
    this.#met.set(address, times)
    if (this.#met.size > addressesRemembered) this.#met.delete(this.#met.keys().next().value!)
    return times
  }
}

const addressesRemembered = 10_000
