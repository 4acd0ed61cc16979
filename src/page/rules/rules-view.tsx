/** The policy rules in the order in which they are asked: those of the file to read, those made here to change. */
import { useState } from 'preact/hooks'
import type { ChangedRuleView, RuleListView, RuleView } from '../../admin/rules/rule-view.ts'
import { type Problem, pathOf, write } from '../client.ts'
import { useFormats } from '../language.ts'
import { Button } from '../parts/button.tsx'
import { FormDialog, useAct } from '../parts/dialog.tsx'
import { useProblemText } from '../parts/notice.tsx'
import { Page, Section } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { tell } from '../parts/told.tsx'
import { usePolled } from '../polling.ts'
import type { ViewProps } from '../view.ts'
import { useFrameWords } from '../words.ts'
import { RuleCard, type RuleChange } from './rule-card.tsx'
import { RuleEditor } from './rule-editor.tsx'
import './rules.css'
import { useRuleWords } from './words.ts'

type Open = { readonly act: 'new' } | { readonly act: 'edit' | 'delete'; readonly of: RuleView }

export function RulesView(_props: ViewProps) {
  const words = useRuleWords()
  const frame = useFrameWords()
  const list = usePolled<RuleListView>(pathOf(['rules']), { everyMs: 10_000 })
  const [open, setOpen] = useState<Open | null>(null)
  const change = useRuleChange(list.again)
  const close = () => setOpen(null)
  const add = (
    <Button kind="primary" icon="add" needs="admin" onClick={() => setOpen({ act: 'new' })}>
      {words.add}
    </Button>
  )
  const cardsOf = (rules: readonly RuleView[]) => (
    <ol class="rules">
      {rules.map((rule, index) => (
        <RuleCard
          key={rule.name}
          of={rule}
          isLast={index === rules.length - 1}
          onChange={(changed) => change(rule, changed)}
          onEdit={() => setOpen({ act: 'edit', of: rule })}
          onDelete={() => setOpen({ act: 'delete', of: rule })}
        />
      ))}
    </ol>
  )
  return (
    <Page
      title={frame.views.rules}
      lead={words.lead}
      toolbar={
        <>
          {add}
          <Button icon="refresh" onClick={() => void list.again()}>
            {frame.refresh}
          </Button>
        </>
      }
    >
      <Shown of={list}>
        {({ rules }) => {
          const ofFile = rules.filter(({ origin }) => origin === 'file')
          const ofApi = rules.filter(({ origin }) => origin === 'api')
          if (rules.length === 0)
            return (
              <Empty title={words.none}>
                <p>{words.noneHint}</p>
                {add}
              </Empty>
            )
          return (
            <>
              {ofFile.length > 0 && <Section title={words.ofFile}>{cardsOf(ofFile)}</Section>}
              <Section title={words.ofApi}>
                {ofApi.length === 0 ? <p class="soft">{words.noneOfApi}</p> : cardsOf(ofApi)}
              </Section>
            </>
          )
        }}
      </Shown>
      {open?.act === 'new' && <RuleEditor of={null} again={list.again} onClose={close} />}
      {open?.act === 'edit' && <RuleEditor of={open.of} again={list.again} onClose={close} />}
      {open?.act === 'delete' && <DeleteDialog of={open.of} again={list.again} onClose={close} />}
    </Page>
  )
}

/** One change at a time: a move changes the places of others. */
function useRuleChange(again: () => Promise<void>) {
  const words = useRuleWords()
  const formats = useFormats()
  const text = useProblemText()
  const act = useAct()
  return async ({ name, version }: RuleView, change: RuleChange): Promise<void> => {
    await act.run(async () => {
      const path = pathOf(['rules', name])
      const changed = await write<ChangedRuleView>('PATCH', path, { version, ...change }).catch(
        (problem: Problem) => {
          tell(text(problem), 'bad')
          throw problem
        },
      )
      await again()
      if (change.mode !== undefined) tell(words.modeSet(name, words.modes[change.mode]))
      else tell(words.moved(name, formats.number(changed.place)))
      for (const { message } of changed.warnings) tell(message, 'warning')
    })
  }
}

interface DeleteDialogProps {
  readonly of: RuleView
  again(): Promise<void>
  onClose(): void
}

function DeleteDialog({ of: { name, version }, again, onClose }: DeleteDialogProps) {
  const words = useRuleWords()
  const remove = async () => {
    await write('DELETE', pathOf(['rules', name], { version }))
    tell(words.deleted(name))
    await again()
    onClose()
  }
  return (
    <FormDialog
      title={words.deleteTitle(name)}
      submit={words.deleteAct}
      danger
      onSubmit={remove}
      onClose={onClose}
    >
      {() => <p>{words.deleteHint}</p>}
    </FormDialog>
  )
}
