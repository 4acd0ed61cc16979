/** Policy rules: those of the configuration file to read, those made here to change and to move too. */
import type { Metrics } from '../../observe/metrics.ts'
import { printable } from '../../reply.ts'
import type { CurrentSetup } from '../../setup/current.ts'
import type { Planning } from '../../setup/plan.ts'
import {
  planRuleAdd,
  planRuleChange,
  planRuleRemove,
  planRuleReplace,
  type RulePlan,
} from '../../setup/rule-plans.ts'
import type { Setup } from '../../setup/setup.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refused } from '../problem.ts'
import { versionQuery } from '../query-values.ts'
import {
  type ChangedRuleView,
  changedRuleView,
  newRuleInput,
  type RuleView,
  ruleInput,
  ruleListView,
  ruleParams,
  rulePatch,
  ruleView,
  ruleViews,
} from './rule-view.ts'

export interface RuleEndpointsOptions {
  readonly setup: Pick<Setup, 'current' | 'apply'>
  readonly metrics: Pick<Metrics, 'ruleMatches'>
}

const part = 'Rules'
/** A rule may have very many addresses and patterns. */
const bodyLimitBytes = 256 * 1024

export function ruleEndpoints(options: RuleEndpointsOptions): Endpoint[] {
  const rules = new Rules(options)
  return [...reading(rules), ...changing(rules)]
}

function reading(rules: Rules): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/rules',
      scope: 'read',
      part,
      summary: 'The rules in the order in which they are asked, and how often they matched',
      answer: ruleListView,
      handle: () => rules.list(),
    }),
    endpoint({
      method: 'GET',
      path: '/rules/:name',
      scope: 'read',
      part,
      summary: 'A rule',
      params: ruleParams,
      answer: ruleView,
      problems: [404],
      handle: ({ params }) => rules.view(params.name),
    }),
  ]
}

function changing(rules: Rules): Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: '/rules',
      scope: 'admin',
      part,
      summary: 'Add a rule, behind those of the file',
      body: newRuleInput,
      bodyLimitBytes,
      answer: changedRuleView,
      status: 201,
      problems: [409],
      handle: ({ body, by }) => rules.change((current, planning) => planRuleAdd(current, planning, body), by),
    }),
    endpoint({
      method: 'PUT',
      path: '/rules/:name',
      scope: 'admin',
      part,
      summary: 'Replace a rule; under another name it keeps its place',
      params: ruleParams,
      body: ruleInput,
      bodyLimitBytes,
      answer: changedRuleView,
      problems: [404, 409],
      handle: ({ params, body, by }) =>
        rules.change((current, planning) => planRuleReplace(current, planning, { ...params, ...body }), by),
    }),
    endpoint({
      method: 'PATCH',
      path: '/rules/:name',
      scope: 'admin',
      part,
      summary: 'Change the mode of a rule, or its place',
      params: ruleParams,
      body: rulePatch,
      answer: changedRuleView,
      problems: [404, 409],
      handle: ({ params, body, by }) =>
        rules.change((current, planning) => planRuleChange(current, planning, { ...params, ...body }), by),
    }),
    endpoint({
      method: 'DELETE',
      path: '/rules/:name',
      scope: 'admin',
      part,
      summary: 'Remove a rule',
      params: ruleParams,
      query: versionQuery,
      answer: null,
      problems: [404, 409],
      handle: ({ params, query, by }) => rules.remove({ ...params, ...query }, by),
    }),
  ]
}

class Rules {
  readonly #options: RuleEndpointsOptions

  constructor(options: RuleEndpointsOptions) {
    this.#options = options
  }

  async list(): Promise<{ rules: RuleView[]; orderVersion: number | null }> {
    const { current } = this.#options.setup
    return { rules: await this.#views(current), orderVersion: current.ruleOrderVersion }
  }

  async view(name: string): Promise<RuleView> {
    const view = (await this.#views(this.#options.setup.current)).find((rule) => rule.name === name)
    if (view === undefined) throw new Refused(404, `There is no rule ${printable(name)}`)
    return view
  }

  async change(
    plan: (current: CurrentSetup, planning: Planning) => RulePlan,
    by: string,
  ): Promise<ChangedRuleView> {
    const { name, warnings } = await this.#options.setup.apply(plan, { by })
    return { ...(await this.view(name)), warnings: [...warnings] }
  }

  async remove(rule: { name: string; version?: number | undefined }, by: string): Promise<void> {
    await this.#options.setup.apply((current) => planRuleRemove(current, rule), { by })
  }

  async #views(current: CurrentSetup): Promise<RuleView[]> {
    return ruleViews(current, await this.#options.metrics.ruleMatches())
  }
}
