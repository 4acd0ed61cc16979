/**
 * Which connector a recipient leaves by. First answer wins: the sender's binding (OVHcloud's model), address
 * spaces (Exchange's), the default connector, nothing. Pure; one algorithm for the mail and for `explain`,
 * which asks it to note each step.
 *
 * A bound sender never leaves by another connector because its own is disabled or too small: those refuse.
 * Only recipients outside the bound connector's own address spaces go on to everybody's.
 */

import { domainOf } from '../address.ts'
import { assertNever } from '../assert-never.ts'
import { formatSize } from '../config/units.ts'
import { permanent, type Reply, temporary } from '../reply.ts'
import { formatAddressSpace, patternsFor } from './address-space.ts'
import { bindingOf, type RoutableConnector, type Routes } from './routes.ts'
import { type BoundOutcome, rankCandidates, type Step } from './steps.ts'

export { buildRoutes, buildRoutesOver, type Routes } from './routes.ts'
export { senderIdentity } from './sender.ts'

export interface Question {
  /** From `senderIdentity`; null where no binding counts. */
  readonly sender: string | null
  /** Canonical. */
  readonly recipient: string
  /** Null where it is not known yet: every connector is large enough. */
  readonly sizeBytes: number | null
}

/** Why this connector: what chose it, and the entry of the configuration. `policy` is a rule's `routeThrough`. */
export interface Why {
  readonly rule: 'senderAddress' | 'senderDomain' | 'addressSpace' | 'default' | 'policy'
  readonly entry: string
}

export const isBinding = ({ rule }: Pick<Why, 'rule'>): boolean =>
  rule === 'senderAddress' || rule === 'senderDomain'

export type Decision =
  | { readonly kind: 'connector'; readonly connector: string; readonly why: Why }
  | { readonly kind: 'refuse'; readonly reply: Reply }
  /** No connector takes it, and `unroutable: hold` keeps it until the configuration changes. */
  | { readonly kind: 'unreachable' }

export function route(routes: Routes, question: Question): Decision {
  return decide(routes, question, null)
}

/** The same decision with every step that led to it. */
export function explain(routes: Routes, question: Question): { steps: Step[]; decision: Decision } {
  const steps: Step[] = []
  const decision = decide(routes, question, steps)
  return { steps, decision }
}

/**
 * At RCPT, where the From field counts and is not known yet: null where some sender's mail to this recipient
 * could find a connector (or a temporary refusal), else the reply that every message would get.
 */
export function mayRoute(routes: Routes, recipient: string): Reply | null {
  const patterns = patternsFor(domainOf(recipient))
  const possible =
    routes.unroutable === 'hold' ||
    routes.bound.everything ||
    routes.default?.enabled === true ||
    patterns.some((pattern) => routes.bound.patterns.has(pattern) || routes.choices.get(pattern)?.length)
  return possible ? null : noRoute(recipient)
}

function decide(routes: Routes, question: Question, steps: Step[] | null): Decision {
  const { sender, recipient, sizeBytes } = question
  const asked = { sender, recipient, sizeBytes, patterns: patternsFor(domainOf(recipient)) }
  return (
    byBinding(routes, asked, steps) ??
    byAddressSpace(routes, asked, steps) ??
    byDefault(routes, asked, steps) ??
    byNothing(routes, asked, steps)
  )
}

type Asked = Question & { readonly patterns: readonly string[] }

function byBinding(routes: Routes, asked: Asked, steps: Step[] | null): Decision | null {
  const binding = bindingOf(routes, asked.sender)
  steps?.push({ step: 'binding', sender: asked.sender, binding })
  if (binding === null || binding.connector === null) return null
  const connector = routes.connectors.get(binding.connector) ?? null
  const outcome = boundOutcome(routes, connector, asked)
  steps?.push({ step: 'boundConnector', connector: binding.connector, outcome })
  switch (outcome) {
    case 'notCovered':
      return null
    case 'missing':
      return refuse(temporary('3.5', "The sender's connector does not exist"))
    case 'disabled':
      // An operator's state and no fault of the message, so nothing bounces: the client keeps it until the
      // connector is enabled. RFC 3463 §3.4: the system does not accept messages now.
      return refuse(temporary('3.2', "The sender's connector is disabled"))
    case 'tooSmall':
      return refuse(tooLarge(connector!.maxSendSize, "the limit of the sender's connector"))
    case 'chosen':
      return {
        kind: 'connector',
        connector: connector!.id,
        why: { rule: binding.of === 'address' ? 'senderAddress' : 'senderDomain', entry: binding.value },
      }
    default:
      return assertNever(outcome)
  }
}

function boundOutcome(routes: Routes, connector: RoutableConnector | null, asked: Asked): BoundOutcome {
  if (connector === null) return 'missing'
  if (connector.addressSpaces.length > 0 && !covers(routes, connector, asked.patterns)) return 'notCovered'
  if (!connector.enabled) return 'disabled'
  return fits(connector, asked) ? 'chosen' : 'tooSmall'
}

function covers(routes: Routes, connector: RoutableConnector, patterns: readonly string[]): boolean {
  const own = routes.patterns.get(connector.id)
  return patterns.some((pattern) => own?.has(pattern))
}

function byAddressSpace(routes: Routes, asked: Asked, steps: Step[] | null): Decision | null {
  for (const pattern of asked.patterns) {
    const chosen = routes.choices.get(pattern)?.find(({ connector }) => fits(connector, asked))
    if (chosen === undefined) continue
    steps?.push({ step: 'addressSpaces', candidates: rankCandidates(routes, asked) })
    const why: Why = { rule: 'addressSpace', entry: formatAddressSpace(chosen.space) }
    return { kind: 'connector', connector: chosen.connector.id, why }
  }
  steps?.push({ step: 'addressSpaces', candidates: rankCandidates(routes, asked) })
  return null
}

function byDefault(routes: Routes, asked: Asked, steps: Step[] | null): Decision | null {
  const connector = routes.default
  if (connector === null) {
    steps?.push({ step: 'default', connector: null, outcome: 'none' })
    return null
  }
  const outcome = !connector.enabled ? 'disabled' : fits(connector, asked) ? 'chosen' : 'tooSmall'
  steps?.push({ step: 'default', connector: connector.id, outcome })
  if (outcome !== 'chosen') return null
  return { kind: 'connector', connector: connector.id, why: { rule: 'default', entry: connector.id } }
}

/** Nothing took it. What only its size kept out is refused even where the unroutable is held, as in Exchange. */
function byNothing(routes: Routes, asked: Asked, steps: Step[] | null): Decision {
  const limit = largestLimit(routes, asked.patterns)
  const outcome = limit !== null ? 'tooLarge' : routes.unroutable
  steps?.push({ step: 'nothing', outcome })
  if (limit !== null)
    return refuse(tooLarge(limit, `the most any connector takes for ${domainOf(asked.recipient)}`))
  return routes.unroutable === 'hold' ? { kind: 'unreachable' } : refuse(noRoute(asked.recipient))
}

/** The most that any enabled connector for these patterns takes; null where there is none. */
function largestLimit(routes: Routes, patterns: readonly string[]): number | null {
  const limits = patterns.flatMap(
    (pattern) => routes.choices.get(pattern)?.at(-1)?.connector.maxSendSize ?? [],
  )
  if (routes.default?.enabled) limits.push(routes.default.maxSendSize)
  return limits.length === 0 ? null : Math.max(...limits)
}

function fits(connector: RoutableConnector, asked: Question): boolean {
  return asked.sizeBytes === null || asked.sizeBytes <= connector.maxSendSize
}

function refuse(reply: Reply): Decision {
  return { kind: 'refuse', reply }
}

function noRoute(recipient: string): Reply {
  return permanent('4.4', `No connector takes mail for ${domainOf(recipient)}`)
}

function tooLarge(limitBytes: number, what: string): Reply {
  return permanent('3.4', `The message is larger than ${formatSize(limitBytes)}, ${what}`, 552)
}
