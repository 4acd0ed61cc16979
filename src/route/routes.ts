/**
 * The routing table: what a configuration says, indexed so that a lookup costs as many hash probes as the
 * recipient's domain has labels, however many bindings and connectors there are. It is immutable: a changed
 * configuration makes a new one.
 */
import { domainOf } from '../address.ts'
import type { ConnectorConfig, SenderBinding } from '../config/schema.ts'
import { type AddressSpace, parseAddressSpace } from './address-space.ts'
import { senderKey } from './sender.ts'

export type RoutableConnector = Readonly<
  Pick<ConnectorConfig, 'id' | 'name' | 'enabled' | 'default' | 'addressSpaces' | 'maxSendSize'>
>

export interface RoutingConfig {
  readonly connectors: readonly RoutableConnector[]
  readonly senders: readonly SenderBinding[]
  readonly routing: { readonly unroutable: 'reject' | 'hold' }
}

/** The bindings, however they are kept: a change of one of 100,000 need not make them anew. */
export interface Bindings extends Pick<Routes, 'addressBindings' | 'domainBindings'> {
  readonly boundConnectors: Iterable<string>
}

type Lookup<Value> = Pick<ReadonlyMap<string, Value>, 'get'>

/** A connector by one of its address spaces. */
export interface Candidate {
  readonly connector: RoutableConnector
  readonly space: AddressSpace
}

export interface Routes {
  readonly unroutable: 'reject' | 'hold'
  readonly connectors: ReadonlyMap<string, RoutableConnector>
  /** By connector: its patterns. */
  readonly patterns: ReadonlyMap<string, ReadonlySet<string>>
  readonly default: RoutableConnector | null
  /** By `senderKey`; a connector's id, or null for "no binding, whatever the domain has". */
  readonly addressBindings: Lookup<string | null>
  readonly domainBindings: Lookup<string>
  /** By pattern: every connector that has it, disabled ones too, best first. */
  readonly candidates: ReadonlyMap<string, readonly Candidate[]>
  /**
   * By pattern: the enabled candidates that some message size chooses, best first. One that has no more room
   * than a better one is never chosen and stands in `candidates` alone, so this list has one entry as a rule.
   */
  readonly choices: ReadonlyMap<string, readonly Candidate[]>
  /** Patterns of connectors that senders are bound to; `everything` where such a connector has no address spaces. */
  readonly bound: { readonly everything: boolean; readonly patterns: ReadonlySet<string> }
}

export function buildRoutes(config: RoutingConfig): Routes {
  return buildRoutesOver(bindingsIn(config.senders), config)
}

/** As `buildRoutes`, of bindings that are kept elsewhere. */
export function buildRoutesOver(bindings: Bindings, config: Omit<RoutingConfig, 'senders'>): Routes {
  const all = config.connectors.flatMap(candidatesOf)
  const candidates = groupBy(all, ({ space }) => space.pattern)
  for (const list of candidates.values()) list.sort(compareCandidates)
  const patterns = new Map(
    [...groupBy(all, ({ connector }) => connector.id)].map(([id, list]) => [
      id,
      new Set(list.map(({ space }) => space.pattern)),
    ]),
  )
  const defaults = config.connectors.filter((connector) => connector.default)
  return {
    unroutable: config.routing.unroutable,
    connectors: new Map(config.connectors.map((connector) => [connector.id, connector])),
    patterns,
    default: defaults.find((connector) => connector.enabled) ?? defaults[0] ?? null,
    addressBindings: bindings.addressBindings,
    domainBindings: bindings.domainBindings,
    candidates,
    choices: new Map([...candidates].map(([pattern, list]) => [pattern, choicesOf(list)])),
    bound: boundPatterns(bindings.boundConnectors, patterns),
  }
}

/** What a configuration says about a sender: bound to a connector, or to none. */
export interface Binding {
  readonly of: 'address' | 'domain'
  readonly value: string
  readonly connector: string | null
}

/** A binding of the address says everything, also "none"; only without one does the domain's count. */
export function bindingOf(routes: Routes, sender: string | null): Binding | null {
  if (sender === null) return null
  const key = senderKey(sender)
  const ofAddress = routes.addressBindings.get(key)
  if (ofAddress !== undefined) return { of: 'address', value: key, connector: ofAddress }
  const domain = domainOf(sender)
  const ofDomain = routes.domainBindings.get(domain)
  return ofDomain === undefined ? null : { of: 'domain', value: domain, connector: ofDomain }
}

/** Exchange's order of candidates that are equally specific: lowest cost, then lowest name. */
function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    a.space.cost - b.space.cost ||
    compareText(a.connector.name.toLowerCase(), b.connector.name.toLowerCase()) ||
    compareText(a.connector.id, b.connector.id)
  )
}

/** By code unit, so that the order is the same on every machine; `Relay 10` is before `Relay 2`, as in Exchange. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function candidatesOf(connector: RoutableConnector): Candidate[] {
  return connector.addressSpaces.map((text) => {
    const space = parseAddressSpace(text)
    if (!('error' in space)) return { connector, space }
    throw new Error(`Cannot route by connector ${connector.id}: its address space ${text} ${space.error}`)
  })
}

function groupBy<T>(list: readonly T[], keyOf: (entry: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const entry of list) {
    const group = groups.get(keyOf(entry))
    if (group) group.push(entry)
    else groups.set(keyOf(entry), [entry])
  }
  return groups
}

function choicesOf(candidates: readonly Candidate[]): Candidate[] {
  const choices: Candidate[] = []
  let room = -1
  for (const candidate of candidates) {
    if (!candidate.connector.enabled || candidate.connector.maxSendSize <= room) continue
    room = candidate.connector.maxSendSize
    choices.push(candidate)
  }
  return choices
}

function bindingsIn(senders: readonly SenderBinding[]): Bindings {
  const addressBindings = new Map<string, string | null>()
  const domainBindings = new Map<string, string>()
  for (const sender of senders) {
    if ('address' in sender) addressBindings.set(senderKey(sender.address), sender.connector)
    else domainBindings.set(sender.domain, sender.connector)
  }
  const boundConnectors = new Set(senders.flatMap((sender) => sender.connector ?? []))
  return { addressBindings, domainBindings, boundConnectors }
}

function boundPatterns(
  connectors: Iterable<string>,
  patterns: ReadonlyMap<string, ReadonlySet<string>>,
): Routes['bound'] {
  const ids = [...connectors]
  return {
    // A connector that is gone has no patterns either: a binding to it answers for every recipient, by refusing.
    everything: ids.some((id) => !patterns.has(id)),
    patterns: new Set(ids.flatMap((id) => [...(patterns.get(id) ?? [])])),
  }
}
