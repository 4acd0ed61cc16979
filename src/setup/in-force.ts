/**
 * What mail is decided by now, made anew when the setup changes: routes, and compiled rules. A part that did not change
 * is kept.
 */
import type { Connector } from '../config/connector.ts'
import { type CompiledRules, compileRules } from '../policy/rules/evaluate.ts'
import { buildRoutesOver, type Routes } from '../route/route.ts'
import { connectorKind } from './connector-object.ts'
import { bindingsOf, type CurrentSetup } from './current.ts'
import { orderKind, ruleKind } from './rule-object.ts'

export class InForce {
  routes: Routes
  rules: CompiledRules
  /** What each was made of last. */
  #routed: CurrentSetup
  #ruled: CurrentSetup

  /** Throws where a rule cannot be used: mail must not leave without being asked what it forbids. */
  constructor(current: CurrentSetup) {
    this.#routed = current
    this.#ruled = current
    this.routes = routesOf(current)
    this.rules = rulesOf(current)
  }

  /** Throws as the constructor does; then the rules that were in force before stay. */
  take(current: CurrentSetup): void {
    const { connectors, senders } = this.#routed
    if (current.connectors !== connectors || current.senders !== senders) this.routes = routesOf(current)
    this.#routed = current
    if (current.rules !== this.#ruled.rules) this.rules = rulesOf(current)
    this.#ruled = current
  }
}

/** What delivery carries, and the mail of which connectors must wait because they cannot be used now. */
export function carriedBy(current: CurrentSetup): {
  connectors: readonly Connector[]
  unusable: ReadonlySet<string>
} {
  const unusable = current.unusable
    .filter(({ kind, shadowed }) => kind === connectorKind && !shadowed)
    .map(({ id }) => id)
  return { connectors: current.connectors.map(({ connector }) => connector), unusable: new Set(unusable) }
}

function routesOf(current: CurrentSetup): Routes {
  const { config, connectors } = current
  return buildRoutesOver(bindingsOf(current), {
    routing: config.routing,
    connectors: connectors.map(({ connector }) => connector),
  })
}

function rulesOf({ config, rules, unusable }: CurrentSetup): CompiledRules {
  const bad = unusable.find(({ kind, shadowed }) => !shadowed && (kind === ruleKind || kind === orderKind))
  if (bad !== undefined)
    throw new Error(
      `The rule ${bad.id}, made at run time, cannot be used: ${bad.why}. Mail must not leave without it: put back what it needs into the configuration, start, and then relay rule remove`,
    )
  return compileRules({ ...config.policy, rules: rules.map(({ rule }) => rule) })
}
