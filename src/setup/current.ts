/**
 * What is configured at one moment: the file's part and the part made while the relay runs, put together. Where both
 * name the same, the file counts. An object that cannot be used is named and set aside, and harms no other.
 *
 * Objects that did not change are not read again: snapshots share them.
 */
import { z } from 'zod'
import type { Connector } from '../config/connector.ts'
import { lostLists } from '../config/policy-checks.ts'
import { type Rule, ruleSchema } from '../config/policy-schema.ts'
import type { Config, SenderBinding } from '../config/schema.ts'
import type { Bindings } from '../route/routes.ts'
import { senderKey } from '../route/sender.ts'
import { keyOf, namesOf } from '../state/record.ts'
import type { SecretBox } from '../state/secrets.ts'
import { objectAt, objectsOf } from '../state/snapshot.ts'
import type { StateObject, StateSnapshot } from '../state/state.ts'
import { connectorKind, type ReadConnector, readConnector } from './connector-object.ts'
import { KindReader } from './kind-reader.ts'
import { orderId, orderKind, orderValue, ruleKind, ruleValue } from './rule-object.ts'
import { formatSender, parseSender, senderKind, senderValue } from './sender-object.ts'
import { type Token, tokenKind, tokensIn } from './token.ts'

/** What the configuration file says. */
export interface FileSetup {
  readonly config: Config
  /** With their secrets. */
  readonly connectors: readonly Connector[]
}

/** Where an object stands: only what the API made can be changed by it. */
export type Origin = 'file' | 'api'

export interface SetConnector {
  readonly id: string
  readonly origin: Origin
  readonly connector: Connector
  /** Null where it is the file's. */
  readonly stored: (ReadConnector & Stored) | null
}

export interface SetSender {
  /** `user@example.com` as senders are compared, or `@example.com`. */
  readonly id: string
  readonly origin: Origin
  /** Null: bound to none. */
  readonly connector: string | null
  readonly stored: Stored | null
}

export interface SetRule {
  readonly name: string
  readonly origin: Origin
  readonly rule: Rule
  /** `given` is what was posted, without defaults. */
  readonly stored: (Stored & { readonly given: Readonly<Record<string, unknown>> }) | null
}

export interface Stored {
  readonly version: number
  /** Epoch ms. */
  readonly createdAt: number
  readonly changedAt: number
}

export interface Unusable {
  readonly kind: string
  readonly id: string
  readonly why: string
  /** The file has the same, which counts: nothing is missing. */
  readonly shadowed: boolean
}

export interface CurrentSetup {
  /** Of the runtime state. */
  readonly revision: number
  /** The file's. */
  readonly config: Config
  /** The file's first, in its order; then those of the API by id. */
  readonly connectors: readonly SetConnector[]
  /** By their ids. */
  readonly senders: ReadonlyMap<string, SetSender>
  /** In the order in which they are asked. */
  readonly rules: readonly SetRule[]
  /** Of `rule-order`; null where there is none yet. */
  readonly ruleOrderVersion: number | null
  readonly tokens: readonly Token[]
  readonly unusable: readonly Unusable[]
  /** Everything that is stored, also what is not listed above. */
  readonly snapshot: StateSnapshot
}

/** No connector can have it. */
const nowhere = '?'

/**
 * What routing needs of the bindings. A sender whose binding cannot be read is bound to a connector that does not exist:
 * its mail waits at the client until that is mended, and leaves no other way.
 */
export function bindingsOf({ senders, unusable }: CurrentSetup): Bindings {
  const lost = new Set(
    unusable.filter(({ kind, id }) => kind === senderKind && !senders.has(id)).map(({ id }) => id),
  )
  const bindingOf = (id: string): string | null | undefined => {
    const sender = senders.get(id)
    if (sender !== undefined) return sender.connector
    return lost.has(id) ? nowhere : undefined
  }
  const boundConnectors = new Set<string>(lost.size > 0 ? [nowhere] : [])
  for (const { connector } of senders.values()) if (connector !== null) boundConnectors.add(connector)
  return {
    addressBindings: { get: bindingOf },
    // A domain that is bound to none has no default.
    domainBindings: { get: (domain) => bindingOf(`@${domain}`) ?? undefined },
    boundConnectors,
  }
}

export class SetupReader {
  readonly #file: FileSetup
  readonly #connectors: KindReader<SetConnector>
  readonly #senders: KindReader<SetSender>
  readonly #rules: KindReader<SetRule>
  #current: CurrentSetup | null = null

  constructor({ file, box }: { file: FileSetup; box: SecretBox | null }) {
    this.#file = file
    this.#connectors = new KindReader(connectorReader(file, box))
    const senders = new Map(file.config.senders.map(senderOfFile).map((sender) => [sender.id, sender]))
    this.#senders = new KindReader(senderReader(senders), { initial: senders })
    this.#rules = new KindReader(ruleReader(file.config))
  }

  /** Connectors, senders and rules are the same objects as in the snapshot before where nothing of them changed. */
  currentOf(snapshot: StateSnapshot): CurrentSetup {
    const before = this.#current
    const isNew = before === null || before.snapshot.unreadable.join() !== snapshot.unreadable.join()
    const take = <Made extends object>(kind: string, reader: KindReader<Made>): boolean =>
      reader.take(objectsOf(snapshot, kind)) || isNew
    const otherConnectors = take(connectorKind, this.#connectors)
    const otherSenders = take(senderKind, this.#senders)
    const otherRules = take(ruleKind, this.#rules) || orderObject(before?.snapshot) !== orderObject(snapshot)
    const { order, orderFault } = orderIn(snapshot)
    const { tokens, unusable: badTokens } = tokensIn({ ...snapshot, objects: objectsOf(snapshot, tokenKind) })
    this.#current = {
      revision: snapshot.revision,
      config: this.#file.config,
      connectors: before === null || otherConnectors ? this.#allConnectors(snapshot) : before.connectors,
      senders: before === null || otherSenders ? this.#senders.made.with(new Map()) : before.senders,
      rules: before === null || otherRules ? this.#allRules(snapshot, order) : before.rules,
      ruleOrderVersion: orderObject(snapshot)?.version ?? null,
      tokens,
      unusable: [
        ...orderFault,
        ...badTokens.map((id) => ({ kind: tokenKind, id, why: 'It is no token', shadowed: false })),
        ...snapshot.unreadable.map((key) => ({ ...namesOf(key), why: 'It cannot be read', shadowed: false })),
        ...faultsOf(connectorKind, this.#connectors),
        ...faultsOf(senderKind, this.#senders),
        ...faultsOf(ruleKind, this.#rules),
      ],
      snapshot,
    }
    return this.#current
  }

  #allConnectors(snapshot: StateSnapshot): SetConnector[] {
    const ofFile = this.#file.connectors.map(
      (connector): SetConnector => ({ id: connector.id, origin: 'file', connector, stored: null }),
    )
    const { made } = this.#connectors
    return [...ofFile, ...objectsOf(snapshot, connectorKind).flatMap(({ id }) => made.get(id) ?? [])]
  }

  #allRules(snapshot: StateSnapshot, order: readonly string[]): SetRule[] {
    const ofFile = this.#file.config.policy.rules.map(
      (rule): SetRule => ({ name: rule.name, origin: 'file', rule, stored: null }),
    )
    const { made } = this.#rules
    const ofApi = objectsOf(snapshot, ruleKind).flatMap(({ id }) => made.get(id) ?? [])
    const places = new Map(order.map((name, place) => [name, place]))
    const placeOf = ({ name }: SetRule) => places.get(name) ?? order.length
    return [...ofFile, ...ofApi.sort((a, b) => placeOf(a) - placeOf(b))]
  }
}

function connectorReader({ config, connectors }: FileSetup, box: SecretBox | null) {
  const ofFile = new Set(connectors.map(({ id }) => id))
  return (object: StateObject): SetConnector => {
    if (ofFile.has(object.id)) throw new Shadowed('The configuration file has a connector of this id')
    const read = readConnector(object, { box, hostname: config.hostname })
    const stored = { ...read, ...storedOf(object, read.value.createdAt) }
    return { id: object.id, origin: 'api', connector: read.connector, stored }
  }
}

function senderReader(ofFile: ReadonlyMap<string, SetSender>) {
  return (object: StateObject): SetSender => {
    if (ofFile.has(object.id)) throw new Shadowed('The configuration file binds this sender')
    if (parseSender(formatSender(object.id)) !== object.id) throw new Error('Its id is no sender')
    const { connector, createdAt } = senderValue.parse(object.value)
    return { id: object.id, origin: 'api', connector, stored: storedOf(object, createdAt) }
  }
}

/** A rule whose list the file has no more would forbid nothing, or except nobody. */
function ruleReader({ policy }: Config) {
  const ofFile = new Set(policy.rules.map(({ name }) => name))
  return (object: StateObject): SetRule => {
    if (ofFile.has(object.id)) throw new Shadowed('The configuration file has a rule of this name')
    const { rule: given, createdAt } = ruleValue.parse(object.value)
    const rule = ruleSchema.parse({ ...given, name: object.id })
    const [lost] = lostLists({ policy }, { rule, at: [] })
    if (lost !== undefined) throw new Error(`${lost.at.join('.')} ${lost.message}`)
    return { name: object.id, origin: 'api', rule, stored: { ...storedOf(object, createdAt), given } }
  }
}

const orderObject = (snapshot: StateSnapshot | undefined): StateObject | null =>
  snapshot === undefined ? null : objectAt(snapshot, keyOf({ kind: orderKind, id: orderId }))

function orderIn(snapshot: StateSnapshot): { order: readonly string[]; orderFault: readonly Unusable[] } {
  const object = orderObject(snapshot)
  const parsed = orderValue.safeParse(object?.value ?? { names: [] })
  if (parsed.success) return { order: parsed.data.names, orderFault: [] }
  return { order: [], orderFault: [unusableObject({ kind: orderKind, id: orderId }, parsed.error)] }
}

function faultsOf(kind: string, { failed }: KindReader<object>): Unusable[] {
  return [...failed].map(([id, error]) => unusableObject({ kind, id }, error))
}

class Shadowed extends Error {}

function unusableObject({ kind, id }: { kind: string; id: string }, error: unknown): Unusable {
  return { kind, id, why: whyNot(error), shadowed: error instanceof Shadowed }
}

function senderOfFile(binding: SenderBinding): SetSender {
  const id = 'address' in binding ? senderKey(binding.address) : `@${binding.domain}`
  return { id, origin: 'file', connector: binding.connector, stored: null }
}

const storedOf = ({ version, changedAt }: StateObject, createdAt: number): Stored => ({
  version,
  changedAt,
  createdAt,
})

function whyNot(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error).replace(/\s*\n\s*/g, ' ')
  return error instanceof Error ? error.message : String(error)
}
