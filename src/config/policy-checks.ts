/** Policy within itself, and to the connectors it names: names that stand twice, or stand for nothing. */
import { compilePattern } from '../policy/rules/pattern.ts'
import type { ConfigDraft, Draft } from './draft.ts'
import type { Path } from './path.ts'
import type { Rule } from './policy-schema.ts'
import { error, type Finding, warning } from './problem.ts'
import { repetitionsIn } from './repetition.ts'
import { nearest } from './schema-walk.ts'

export function policyFindings(draft: ConfigDraft): Finding[] {
  return [
    ...repeatedNames(draft),
    ...rulesOf(draft).flatMap((each) => [
      ...lostLists(draft, each),
      ...lostConnector(draft, each),
      ...emptyPeriod(each),
      ...costlyPatterns(each),
    ]),
  ]
}

interface Placed {
  readonly rule: Draft<Rule>
  readonly at: Path
}

function rulesOf(draft: ConfigDraft): Placed[] {
  return (draft.policy?.rules ?? []).flatMap((rule, index) =>
    rule === undefined ? [] : [{ rule, at: ['policy', 'rules', index] }],
  )
}

/** Log, metrics and counters know rules, limits and checkers by their names alone. */
function repeatedNames(draft: ConfigDraft): Finding[] {
  return (['rules', 'limits', 'checkers'] as const).flatMap((kind) =>
    repetitionsIn(
      (draft.policy?.[kind] ?? []).map((entry, index) => ({
        key: entry?.name,
        at: ['policy', kind, index, 'name'],
        what: `the name ${entry?.name}`,
      })),
    ),
  )
}

const listConditions = ['senderIn', 'fromIn', 'recipientIn', 'anyRecipientIn'] as const

export function lostLists(draft: Pick<ConfigDraft, 'policy'>, { rule, at }: Placed): Finding[] {
  // Lists that cannot be read have errors of their own, and may hold the one that is meant.
  const lists = draft.policy?.lists
  if (lists === undefined) return []
  const known = Object.keys(lists)
  return (['conditions', 'exceptions'] as const).flatMap((part) =>
    listConditions.flatMap((condition) =>
      (rule[part]?.[condition] ?? []).flatMap((name, index) => {
        if (name === undefined || Object.hasOwn(lists, name)) return []
        const near = nearest(name, known)
        const hint = near === null ? '' : `; did you mean ${near}?`
        const message = `must be the name of a list in policy.lists: there is no ${name}${hint}`
        return [error([...at, part, condition, index], message)]
      }),
    ),
  )
}

function lostConnector(draft: ConfigDraft, { rule, at }: Placed): Finding[] {
  const id = rule.actions?.routeThrough
  const connectors = draft.connectors ?? []
  // A connector whose own id is wrong may be the one that is meant: its error says enough.
  if (id === undefined || connectors.some((connector) => connector?.id === undefined)) return []
  const place = [...at, 'actions', 'routeThrough']
  const connector = connectors.find((each) => each?.id === id)
  if (connector?.enabled === false)
    return [
      warning(place, `connector ${id} is disabled: such mail is refused with 451 4.3.2 until it is enabled`),
    ]
  if (connector !== undefined) return []
  const near = nearest(
    id,
    connectors.flatMap((each) => each?.id ?? []),
  )
  const hint = near === null ? '' : `; did you mean ${near}?`
  return [error(place, `must be the id of a connector: there is no ${id}${hint}`)]
}

function emptyPeriod({ rule, at }: Placed): Finding[] {
  const { activeFrom, activeUntil } = rule
  if (activeFrom == null || activeUntil == null || activeUntil > activeFrom) return []
  return [error([...at, 'activeUntil'], 'must be later than activeFrom: the rule would never be active')]
}

/** Of what a person writes, most is shorter. */
const usualText = 32 * 1024

/** Patterns read less of a text the larger they are (`policy/pattern.ts`); a body is the text where that shows. */
function costlyPatterns({ rule, at }: Placed): Finding[] {
  return (['conditions', 'exceptions'] as const).flatMap((part) => {
    const { subjectOrBodyMatches = [], sensitiveData = [] } = rule[part] ?? {}
    return [
      ...subjectOrBodyMatches.flatMap((source, index) =>
        costly(source, [...at, part, 'subjectOrBodyMatches', index]),
      ),
      ...sensitiveData.flatMap((data, index) =>
        data?.type === 'custom' ? costly(data.pattern, [...at, part, 'sensitiveData', index, 'pattern']) : [],
      ),
    ]
  })
}

function costly(source: string | undefined, at: Path): Finding[] {
  const pattern = source === undefined ? null : compilePattern(source)
  if (pattern === null || 'error' in pattern || pattern.longestText >= usualText) return []
  const read = `reads only the first ${pattern.longestText} characters of a body`
  return [warning(at, `is a large pattern, which ${read}: several smaller ones read more`)]
}
