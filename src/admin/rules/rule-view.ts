/** What `/rules` takes and answers. A rule is shown as the configuration file would have it, so that it can be sent back. */
import { z } from 'zod'
import { type Rule, ruleSchema } from '../../config/policy-schema.ts'
import type { CurrentSetup, SetRule } from '../../setup/current.ts'
import { warningView } from '../warning-view.ts'

const mode = ruleSchema.shape.mode.unwrap()

const { $schema: _schema, ...ruleAsSent } = z.toJSONSchema(ruleSchema, {
  io: 'input',
  unrepresentable: 'any',
})

/** Checked with the rules, lists and connectors that are there, when the change is planned. */
const rule = z
  .record(z.string(), z.unknown())
  .meta({ ...ruleAsSent, description: 'as in policy.rules of the file' })

export const ruleView = z.object({
  name: z.string(),
  origin: z.enum(['file', 'api']).describe('file: read-only'),
  version: z.number().nullable(),
  place: z.number().describe('from 1, among those of the same origin; the rules of the file are asked first'),
  enabled: z.boolean(),
  mode,
  activeFrom: z.number().nullable(),
  activeUntil: z.number().nullable(),
  matched: z.number().describe('messages, on this node since its start'),
  rule,
  createdAt: z.number().nullable(),
  changedAt: z.number().nullable(),
})
export type RuleView = z.infer<typeof ruleView>

export const ruleListView = z.object({
  rules: z.array(ruleView).describe('as they are asked'),
  orderVersion: z.number().nullable().describe('grows when rules made here move'),
})
export type RuleListView = z.infer<typeof ruleListView>

export const changedRuleView = ruleView.extend({
  warnings: z.array(warningView).describe('what is allowed, and may not be meant'),
})
export type ChangedRuleView = z.infer<typeof changedRuleView>

export const ruleParams = z.strictObject({ name: z.string().describe('URL-encoded') })

const version = z.int().min(1).describe('of the rule as it was read')
const place = z.int().min(1).describe('among the rules made here, from 1')

export const newRuleInput = z.strictObject({ rule, place: place.optional().describe('left out: the last') })
export const ruleInput = z.strictObject({ version, rule })
export const rulePatch = z.strictObject({ version, mode: mode.optional(), place: place.optional() })

/** In the order in which they are asked. */
export function ruleViews(current: CurrentSetup, matches: ReadonlyMap<string, number>): RuleView[] {
  const places = { file: 0, api: 0 }
  return current.rules.map((set) => {
    places[set.origin] += 1
    return viewOf(set, { place: places[set.origin], matched: matches.get(set.name) ?? 0 })
  })
}

function viewOf(set: SetRule, { place, matched }: { place: number; matched: number }): RuleView {
  const { name, origin, rule, stored } = set
  const { enabled, mode, activeFrom, activeUntil } = rule
  return {
    name,
    origin,
    version: stored?.version ?? null,
    place,
    enabled,
    mode,
    activeFrom,
    activeUntil,
    matched,
    rule: asInFile(rule),
    createdAt: stored?.createdAt ?? null,
    changedAt: stored?.changedAt ?? null,
  }
}

/** Sizes are numbers there too; instants are text. */
function asInFile(rule: Rule): Record<string, unknown> {
  const instant = (at: number | null) =>
    at === null ? null : new Date(at).toISOString().replace('.000Z', 'Z')
  return { ...rule, activeFrom: instant(rule.activeFrom), activeUntil: instant(rule.activeUntil) }
}
