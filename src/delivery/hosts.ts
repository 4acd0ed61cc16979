/**
 * Which smart host a new connection goes to (send-connectors §2.1). Each connection gets the connector's
 * hosts rotated by one and fails over along that list. A host that failed is set aside, behind all others, so
 * that its load spreads over all of them instead of falling on its neighbour; once a minute one connection
 * tries it first. When every host is set aside they are tried all the same.
 */
import type { Clock } from '../clock.ts'
import type { Connector } from '../config/connector.ts'
import { temporary } from '../reply.ts'
import type { Attempt } from './attempt.ts'
import type { HostAddress, Resolver } from './resolve.ts'

export const probeIntervalMs = 60_000
/** The system's lookup tells no time to live. A name is asked again after this, and when all its addresses fail. */
export const resolutionMs = 5 * 60_000

type Unresolved = Extract<Attempt, { scope: 'connection' }>
type Tiers = readonly (readonly HostAddress[])[]

export class SmartHosts {
  readonly #connector: Pick<Connector, 'smartHosts'>
  readonly #resolver: Resolver
  readonly #clock: Clock
  #turn = 0
  #resolved: { tiers: Tiers; until: number } | null = null
  #resolving: Promise<Unresolved | null> | null = null
  /** When a host that is set aside is due to be probed, by `keyOf`. */
  readonly #setAside = new Map<string, number>()
  /** Until when a host is taken for one without TLS, by `keyOf`. */
  readonly #inClear = new Map<string, number>()

  constructor(connector: Pick<Connector, 'smartHosts'>, options: { resolver: Resolver; clock: Clock }) {
    this.#connector = connector
    this.#resolver = options.resolver
    this.#clock = options.clock
  }

  /** The hosts for one new connection, in the order to try them; or why there are none. */
  async order(): Promise<readonly HostAddress[] | Unresolved> {
    const unresolved = await this.#resolve()
    if (this.#resolved === null) return unresolved!
    const now = this.#clock.now()
    const { hosts, probe } = arrange(this.#resolved.tiers, {
      turn: this.#turn++,
      setAside: this.#setAside,
      now,
    })
    // Whoever gets the probe is the only one for a while: the others are not to wait for a dead host too.
    if (probe) this.#setAside.set(keyOf(probe), now + probeIntervalMs)
    return hosts
  }

  /** How many addresses are known; 1 before the first lookup. */
  get count(): number {
    return Math.max(1, this.#resolved?.tiers.flat().length ?? 1)
  }

  failed(host: HostAddress): void {
    this.#setAside.set(keyOf(host), this.#clock.now() + probeIntervalMs)
    const hosts = this.#resolved?.tiers.flat() ?? []
    if (hosts.every((one) => this.#setAside.has(keyOf(one))) && this.#resolved !== null)
      this.#resolved = { ...this.#resolved, until: 0 }
  }

  succeeded(host: HostAddress): void {
    this.#setAside.delete(keyOf(host))
  }

  /** Whether it is worth asking a host for TLS that was not required of it. */
  mayOfferTls(host: HostAddress): boolean {
    return (this.#inClear.get(keyOf(host)) ?? 0) <= this.#clock.now()
  }

  get anyMayOfferTls(): boolean {
    return this.#resolved?.tiers.flat().some((host) => this.mayOfferTls(host)) ?? true
  }

  offersNoTls(host: HostAddress): void {
    this.#inClear.set(keyOf(host), this.#clock.now() + resolutionMs)
  }

  /** Looks the names up when that is due; lanes that ask meanwhile share one lookup. */
  async #resolve(): Promise<Unresolved | null> {
    if (this.#resolved !== null && this.#clock.now() < this.#resolved.until) return null
    this.#resolving ??= this.#lookUp().finally(() => {
      this.#resolving = null
    })
    return this.#resolving
  }

  async #lookUp(): Promise<Unresolved | null> {
    const names = this.#connector.smartHosts
    const answers = await Promise.all(names.map((name) => this.#resolver(name)))
    const tiers: HostAddress[][] = []
    const errors: string[] = []
    let final = true
    for (const [index, answer] of answers.entries()) {
      const name = names[index]!
      if ('error' in answer) {
        errors.push(`${name}: ${answer.error}`)
        final &&= answer.final
      } else {
        for (const [rank, addresses] of answer.tiers.entries())
          tiers[rank] = [...(tiers[rank] ?? []), ...addresses.map((address) => ({ name, address }))]
      }
    }
    if (tiers.length > 0) this.#remember(tiers)
    // What was true before beats no answer at all; a name that is gone for good does not.
    else if (final) this.#resolved = null
    else if (this.#resolved !== null) this.#remember(this.#resolved.tiers)
    if (tiers.length > 0) return null
    const text = `No address for the smart host: ${errors.join('; ')}`
    const reply = temporary(final ? '4.4' : '4.3', text)
    return { scope: 'connection', fault: 'resolve', host: names.join(', '), reply }
  }

  #remember(tiers: Tiers): void {
    this.#resolved = { tiers, until: this.#clock.now() + resolutionMs }
    const known = new Set(tiers.flat().map(keyOf))
    for (const map of [this.#setAside, this.#inClear])
      for (const key of map.keys()) if (!known.has(key)) map.delete(key)
  }
}

/** The order for the `turn`th connection; `probe` is the host in front that was set aside. */
export function arrange(
  tiers: Tiers,
  options: { turn: number; setAside: ReadonlyMap<string, number>; now: number },
): { hosts: readonly HostAddress[]; probe: HostAddress | null } {
  const { turn, setAside, now } = options
  const usable = tiers.map((tier) => tier.filter((host) => !setAside.has(keyOf(host))))
  const aside = tiers.flat().filter((host) => setAside.has(keyOf(host)))
  const inOrder = usable.flatMap((tier) => rotated(tier, turn))
  const anyUsable = inOrder.length > 0
  const probe = anyUsable ? aside.find((host) => setAside.get(keyOf(host))! <= now) : undefined
  const rest = rotated(
    aside.filter((host) => host !== probe),
    turn,
  )
  return { hosts: probe ? [probe, ...inOrder, ...rest] : [...inOrder, ...rest], probe: probe ?? null }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  if (list.length === 0) return []
  const start = by % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}

export const keyOf = (host: HostAddress): string => `${host.name} ${host.address}`
