/**
 * Whether a rule can be, by the checks of the configuration file: its own settings, the lists and the connector it names,
 * and whether all rules compile with it. An error refuses it, a warning is told. Fields are named as in the rule.
 */
import type { ConfigDraft } from '../config/draft.ts'
import { policyFindings } from '../config/policy-checks.ts'
import { type Rule, ruleSchema } from '../config/policy-schema.ts'
import type { Finding } from '../config/problem.ts'
import { inWordsOfJson, mostTelling } from '../config/schema-issues.ts'
import { keysAt, nearest } from '../config/schema-walk.ts'
import { compileRules } from '../policy/rules/evaluate.ts'
import { printable } from '../reply.ts'
import type { CurrentSetup } from './current.ts'
import { SetupRefused } from './plan.ts'

/** A rule as it is given, under the schema of the configuration file. */
export type GivenRule = Readonly<Record<string, unknown>>

export interface RuleWarning {
  readonly field: string
  readonly message: string
}

/** The rule with its defaults. Throws `SetupRefused` at the first field that is wrong. */
export function ruleOf(given: GivenRule): Rule {
  const parsed = ruleSchema.safeParse(given, { error: inWordsOfJson })
  if (!parsed.success) throw refusalOf(parsed.error.issues.flatMap(mostTelling)[0]!)
  const { name } = parsed.data
  // It names an object of the state, and a path of the API.
  if (/[\x00-\x1f\x7f]|\p{Surrogate}/u.test(name) || name === '.' || name === '..')
    throw invalid('name', 'must be one line of text, and not . or ..')
  return parsed.data
}

/** What may not be meant. Throws `SetupRefused` where the rule cannot be among those that are there. */
export function checkRule(rule: Rule, { config, connectors, rules }: CurrentSetup): RuleWarning[] {
  const draft = {
    ...config,
    connectors: connectors.map(({ connector }) => connector),
    policy: { ...config.policy, rules: [rule] },
  }
  // What is missing in a draft counts as unknown; nothing is here.
  const findings = policyFindings(draft as ConfigDraft).filter(isOfRule)
  const wrong = findings.find(({ severity }) => severity === 'error')
  if (wrong !== undefined) throw invalid(fieldIn(wrong), wrong.message)
  const others = rules.filter(({ name }) => name !== rule.name).map((each) => each.rule)
  demandCompiled([...others, rule], config.policy.lists)
  return findings.map((finding) => ({
    field: fieldIn(finding),
    message: `${fieldIn(finding)} ${finding.message}`,
  }))
}

const invalid = (field: string, message: string): SetupRefused =>
  new SetupRefused('invalid', `${field} ${message}`, field)

function demandCompiled(rules: readonly Rule[], lists: CurrentSetup['config']['policy']['lists']): void {
  try {
    compileRules({ rules: [...rules], lists })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new SetupRefused('invalid', `The rules cannot be used with this one: ${why}`)
  }
}

const isOfRule = ({ at }: Finding): boolean => at[0] === 'policy' && at[1] === 'rules'

const fieldIn = ({ at }: Finding): string => at.slice(3).join('.')

function refusalOf(issue: ReturnType<typeof mostTelling>[number]): SetupRefused {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
  if (issue.code !== 'unrecognized_keys') {
    const field = nameOf(path)
    return field === ''
      ? new SetupRefused('invalid', `The rule ${issue.message}`)
      : invalid(field, issue.message)
  }
  const [key] = issue.keys as [string]
  const near = nearest(key, keysAt(ruleSchema, path))
  const field = nameOf([...path, key])
  const hint = near === null ? '' : `: did you mean ${near}?`
  return new SetupRefused('invalid', `There is no field ${field} in a rule${hint}`, field)
}

const nameOf = (path: readonly (string | number)[]): string => printable(path.join('.').slice(0, 200))
