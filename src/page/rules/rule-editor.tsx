/** A rule as text, under the schema of the configuration file, which the API checks it by. */
import { useState } from 'preact/hooks'
import type { ChangedRuleView, RuleView } from '../../admin/rules/rule-view.ts'
import { Problem, pathOf, write } from '../client.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/fields.tsx'
import { tell } from '../parts/told.tsx'
import { useFrameWords } from '../words.ts'
import { parseRule, ruleToEdit } from './rule-text.ts'
import { type TemplateName, templates } from './templates.ts'
import { useRuleWords } from './words.ts'

interface RuleEditorProps {
  /** Null: a new one. */
  readonly of: RuleView | null
  again(): Promise<void>
  onClose(): void
}

const names = Object.keys(templates) as TemplateName[]

export function RuleEditor({ of, again, onClose }: RuleEditorProps) {
  const words = useRuleWords()
  const frame = useFrameWords()
  const [template, setTemplate] = useState<TemplateName>('executables')
  const [text, setText] = useState(ruleToEdit(of?.rule ?? templates.executables))
  const save = async () => {
    const parsed = parseRule(text)
    if ('error' in parsed) throw new Problem(words.notJson(parsed.error), { status: 400, field: 'rule' })
    const { rule } = parsed
    const { name, warnings } =
      of === null
        ? await write<ChangedRuleView>('POST', pathOf(['rules']), { rule })
        : await write<ChangedRuleView>('PUT', pathOf(['rules', of.name]), { version: of.version, rule })
    tell(of === null ? words.added(name) : frame.saved)
    for (const { message } of warnings) tell(message, 'warning')
    await again()
    onClose()
  }
  return (
    <FormDialog
      title={of === null ? words.editorTitle : words.editTitle(of.name)}
      wide
      submit={frame.save}
      onSubmit={save}
      onClose={onClose}
      shownAt={({ field }) => field !== null && field !== 'version'}
    >
      {(problem) => (
        <>
          {of === null && (
            <SelectField
              label={words.template}
              value={template}
              options={names.map((name) => [name, words.templates[name]] as const)}
              onChange={(name) => {
                setTemplate(name)
                setText(ruleToEdit(templates[name]))
              }}
            />
          )}
          <TextField
            label={words.text}
            hint={words.textHint}
            lines={16}
            code
            value={text}
            onInput={setText}
            wrong={problem === null || problem.field === 'version' ? null : problem.message}
          />
          <Vocabulary />
        </>
      )}
    </FormDialog>
  )
}

/** What the text may be made of. */
function Vocabulary() {
  const words = useRuleWords()
  return (
    <details>
      <summary>{words.vocabulary}</summary>
      <dl class="vocabulary">
        {[...Object.entries(words.conditions), ...Object.entries(words.actions)].map(([name, label]) => (
          <div key={name}>
            <dt>
              <code>{name}</code>
            </dt>
            <dd class="hint">{label}</dd>
          </div>
        ))}
      </dl>
    </details>
  )
}
