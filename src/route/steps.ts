/**
 * The steps of a routing decision as an operator reads them: what was looked at, in order, and for each
 * candidate why it was chosen or lost. Made only when somebody asks; mail is routed without them.
 */
import { assertNever } from '../assert-never.ts'
import { formatAddressSpace } from './address-space.ts'
import type { Binding, Candidate, Routes } from './routes.ts'

export type BoundOutcome = 'chosen' | 'notCovered' | 'disabled' | 'tooSmall' | 'missing'

export type DefaultOutcome = 'chosen' | 'disabled' | 'tooSmall' | 'none'

export type CandidateOutcome =
  | 'chosen'
  | 'disabled'
  | 'tooSmall'
  | 'lessSpecific'
  | 'higherCost'
  | 'laterName'
  | 'noMatch'

export interface RankedCandidate {
  readonly connector: string
  readonly name: string
  /** `SMTP:*.example.org;10`; null for a connector none of whose spaces matches. */
  readonly space: string | null
  readonly outcome: CandidateOutcome
}

export type Step =
  | { readonly step: 'binding'; readonly sender: string | null; readonly binding: Binding | null }
  | { readonly step: 'boundConnector'; readonly connector: string; readonly outcome: BoundOutcome }
  | { readonly step: 'addressSpaces'; readonly candidates: readonly RankedCandidate[] }
  | { readonly step: 'default'; readonly connector: string | null; readonly outcome: DefaultOutcome }
  | { readonly step: 'nothing'; readonly outcome: 'tooLarge' | 'reject' | 'hold' }

/**
 * Every connector with address spaces. Those that match come in Exchange's order (specificity, cost, name),
 * so that the first one that is neither disabled nor too small is the chosen one; then those that do not match.
 */
export function rankCandidates(
  routes: Routes,
  asked: { readonly patterns: readonly string[]; readonly sizeBytes: number | null },
): RankedCandidate[] {
  const matching = asked.patterns.flatMap((pattern) => routes.candidates.get(pattern) ?? [])
  const dropped = (candidate: Candidate): 'disabled' | 'tooSmall' | null => {
    if (!candidate.connector.enabled) return 'disabled'
    return asked.sizeBytes !== null && candidate.connector.maxSendSize < asked.sizeBytes ? 'tooSmall' : null
  }
  const winner = matching.find((candidate) => dropped(candidate) === null)
  const ranked = matching.map((candidate) => ({
    connector: candidate.connector.id,
    name: candidate.connector.name,
    space: formatAddressSpace(candidate.space),
    outcome: dropped(candidate) ?? comparison(candidate, winner!),
  }))
  const seen = new Set(ranked.map(({ connector }) => connector))
  const others = [...routes.connectors.values()].filter(
    ({ id, addressSpaces }) => addressSpaces.length > 0 && !seen.has(id),
  )
  return [
    ...ranked,
    ...others.map(({ id, name }) => ({ connector: id, name, space: null, outcome: 'noMatch' as const })),
  ]
}

/** One sentence; the candidates of `addressSpaces` are told by `describeCandidate`. */
export function describeStep(step: Step): string {
  switch (step.step) {
    case 'binding':
      return describeBinding(step)
    case 'boundConnector':
      return `The bound connector ${step.connector} ${boundOutcomes[step.outcome]}`
    case 'addressSpaces':
      return step.candidates.some(({ outcome }) => outcome === 'chosen')
        ? 'Address spaces: the most specific one of a connector that is large enough wins, then cost, then name'
        : 'Address spaces: none takes it'
    case 'default':
      return step.connector === null
        ? 'No connector is the default'
        : `The default connector ${step.connector} ${defaultOutcomes[step.outcome]}`
    case 'nothing':
      return nothings[step.outcome]
    default:
      return assertNever(step)
  }
}

export function describeCandidate(candidate: RankedCandidate): string {
  return outcomes[candidate.outcome]
}

const outcomes: Record<CandidateOutcome, string> = {
  chosen: 'is chosen',
  disabled: 'is disabled',
  tooSmall: 'is too small: its maxSendSize is below the message',
  lessSpecific: 'loses: its address space is less specific',
  higherCost: 'loses: its address space is as specific, but costs more',
  laterName: 'loses: as specific and as cheap, but its name comes later',
  noMatch: 'has no address space that matches',
}

const boundOutcomes: Record<BoundOutcome, string> = {
  chosen: 'takes it',
  notCovered: 'has address spaces of its own, and none of them covers the recipient: on to all connectors',
  disabled: 'is disabled, and a binding has no fallback: refused for now',
  tooSmall: 'is too small for the message, and a binding has no fallback: refused',
  missing: 'does not exist, and a binding has no fallback: refused for now',
}

const defaultOutcomes: Record<DefaultOutcome, string> = {
  chosen: 'takes what is left',
  disabled: outcomes.disabled,
  tooSmall: outcomes.tooSmall,
  none: 'does not exist',
}

const nothings: Record<'tooLarge' | 'reject' | 'hold', string> = {
  tooLarge: 'The message is too large for every connector that could take it: refused',
  reject: 'Nothing takes it: refused (routing.unroutable is reject)',
  hold: 'Nothing takes it: kept as unreachable until the configuration changes (routing.unroutable is hold)',
}

function describeBinding(step: Extract<Step, { step: 'binding' }>): string {
  const { sender, binding } = step
  if (sender === null) return 'No sender counts for a binding'
  if (binding === null) return `Neither ${sender} nor its domain has a binding`
  const whose = binding.of === 'address' ? `The address ${binding.value}` : `The domain ${binding.value}`
  return binding.connector === null
    ? `${whose} is bound to no connector, whatever its domain has`
    : `${whose} is bound to the connector ${binding.connector}`
}

function comparison(candidate: Candidate, winner: Candidate): CandidateOutcome {
  if (candidate === winner) return 'chosen'
  if (candidate.space.pattern !== winner.space.pattern) return 'lessSpecific'
  return candidate.space.cost > winner.space.cost ? 'higherCost' : 'laterName'
}
