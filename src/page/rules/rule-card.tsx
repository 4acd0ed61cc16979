/** One rule: what it asks, what it does, how often it matched; and its place and mode to change. */
import type { RuleView } from '../../admin/rules/rule-view.ts'
import { useFormats } from '../language.ts'
import { Badge } from '../parts/badge.tsx'
import { Button } from '../parts/button.tsx'
import { useMay } from '../session.ts'
import { useFrameWords } from '../words.ts'
import { actionLines, conditionLines, type RuleLine } from './rule-text.ts'
import { useRuleWords } from './words.ts'

export type RuleChange =
  | { readonly mode: RuleView['mode']; readonly place?: never }
  | { readonly place: number; readonly mode?: never }

interface RuleCardProps {
  readonly of: RuleView
  readonly isLast: boolean
  onChange(change: RuleChange): void
  onEdit(): void
  onDelete(): void
}

const modes = ['enforce', 'audit', 'test'] as const

export function RuleCard({ of, isLast, onChange, onEdit, onDelete }: RuleCardProps) {
  const words = useRuleWords()
  const frame = useFrameWords()
  const formats = useFormats()
  const reading = { words, formats }
  const { conditions, exceptions, actions, stop, comment } = of.rule
  const unless = conditionLines(exceptions, reading)
  const done = [
    ...actionLines(actions, reading),
    ...(stop === true ? [{ label: words.stop, values: [] }] : []),
  ]
  return (
    <li class="rule">
      <div class="rule-head">
        <span class="rule-place">{formats.number(of.place)}</span>
        <h3>{of.name}</h3>
        {!of.enabled && <Badge tone="off">{words.off}</Badge>}
        <Active of={of} />
        <span class="hint" title={words.matchedHint}>
          {words.matched(formats.number(of.matched), of.matched === 1)}
        </span>
      </div>
      {typeof comment === 'string' && comment !== '' && <p class="hint">{comment}</p>}
      <dl class="rule-text">
        <Lines
          title={words.if}
          lines={conditionLines(conditions, reading)}
          none={words.always}
          between={words.and}
        />
        {unless.length > 0 && <Lines title={words.unless} lines={unless} between={words.or} />}
        <Lines title={words.actionsTitle} lines={done} between={words.and} />
      </dl>
      <div class="rule-acts">
        <Mode of={of} onChange={onChange} />
        {of.origin === 'api' && (
          <>
            <Button
              kind="quiet"
              icon="up"
              iconOnly
              needs="admin"
              unable={of.place === 1 ? words.first : null}
              onClick={() => onChange({ place: of.place - 1 })}
            >
              {`${words.moveUp}: ${of.name}`}
            </Button>
            <Button
              kind="quiet"
              icon="down"
              iconOnly
              needs="admin"
              unable={isLast ? words.last : null}
              onClick={() => onChange({ place: of.place + 1 })}
            >
              {`${words.moveDown}: ${of.name}`}
            </Button>
            <Button kind="quiet" icon="edit" iconOnly needs="admin" onClick={onEdit}>
              {`${frame.edit}: ${of.name}`}
            </Button>
            <Button kind="quiet" icon="remove" iconOnly needs="admin" onClick={onDelete}>
              {`${words.deleteAct}: ${of.name}`}
            </Button>
          </>
        )}
      </div>
    </li>
  )
}

function Mode({ of: { name, mode, origin }, onChange }: Pick<RuleCardProps, 'of' | 'onChange'>) {
  const words = useRuleWords()
  const frame = useFrameWords()
  const may = useMay('admin')
  if (origin === 'file')
    return (
      <span class="rule-mode" title={words.modeHints[mode]}>
        {`${words.mode}: ${words.modes[mode]}`}
      </span>
    )
  return (
    <select
      class="rule-mode"
      aria-label={words.modeOf(name)}
      title={may ? words.modeHints[mode] : frame.needs.admin}
      disabled={!may}
      value={mode}
      onChange={(event) => {
        const chosen = modes.find((one) => one === event.currentTarget.value)
        if (chosen !== undefined) onChange({ mode: chosen })
      }}
    >
      {modes.map((one) => (
        <option key={one} value={one} selected={one === mode}>
          {words.modes[one]}
        </option>
      ))}
    </select>
  )
}

function Active({ of: { activeFrom, activeUntil } }: { of: RuleView }) {
  const words = useRuleWords()
  const formats = useFormats()
  if (activeFrom === null && activeUntil === null) return null
  const from = activeFrom === null ? [] : [words.activeFrom(formats.instant(activeFrom))]
  const until = activeUntil === null ? [] : [words.activeUntil(formats.instant(activeUntil))]
  return <span class="hint">{[...from, ...until].join(' ')}</span>
}

interface LinesProps {
  readonly title: string
  readonly lines: readonly RuleLine[]
  readonly none?: string
  readonly between: string
}

function Lines({ title, lines, none, between }: LinesProps) {
  return (
    <div>
      <dt>{title}</dt>
      <dd>
        {lines.length === 0 && none}
        {lines.map(({ label, values }, index) => (
          <p key={label}>
            {index > 0 && <span class="soft">{`${between} `}</span>}
            {label}{' '}
            {values.slice(0, 10).map((value) => (
              <code key={value} class="rule-value">
                {value}
              </code>
            ))}
            {values.length > 10 && <span class="soft">{`+ ${values.length - 10}`}</span>}
          </p>
        ))}
      </dd>
    </div>
  )
}
