/** Asks before messages are removed or redirected, or all that match are changed; and shows how far it is. */
import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { useFormats } from '../language.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { ChoiceField, SelectField, TextField } from '../parts/fields.tsx'
import type { ActOn, Chosen } from './act-on.ts'
import type { ActKind, ActTally, QueueAct } from './queue-act.ts'
import { useQueueWords } from './words.ts'
import type { Words } from './words-en.ts'

interface ActDialogProps {
  readonly kind: ActKind
  readonly chosen: Chosen
  readonly connectors: readonly ConnectorView[]
  readonly actOn: ActOn
  readonly onClose: () => void
}

export function ActDialog({ kind, chosen, connectors, actOn, onClose }: ActDialogProps) {
  const words = useQueueWords()
  const formats = useFormats()
  const ended = useRef(new AbortController())
  const [tally, setTally] = useState<ActTally | null>(null)
  const [report, setReport] = useState<'with' | 'without'>('with')
  const others = connectors.filter((each) => isOther(each, chosen))
  const [target, setTarget] = useState(others[0]?.connector ?? '')
  const [reason, setReason] = useState('')
  const act = actOf(kind, { report, target })
  const close = () => {
    // What is under way ends with the step that it is at.
    ended.current.abort()
    onClose()
  }
  return (
    <FormDialog
      title={words.actTitles[kind](whatIs(chosen, words, (count) => formats.number(count)))}
      submit={submitWord({ kind, report, words })}
      danger={kind === 'remove'}
      shownAt={({ field }) => field === 'reason'}
      onSubmit={async () => {
        if (act === null) return
        const because = reason.trim() === '' ? {} : { reason: reason.trim() }
        await actOn(chosen, { ...act, ...because }, { onProgress: setTally, signal: ended.current.signal })
        onClose()
      }}
      onClose={close}
    >
      {(problem): ComponentChildren => (
        <>
          <p>{words.actMeans[kind]}</p>
          {kind === 'remove' && <ReportChoice report={report} onChange={setReport} />}
          {kind === 'redirect' &&
            (others.length === 0 ? (
              <p class="wrong">{words.noOtherConnector}</p>
            ) : (
              <SelectField
                label={words.redirectTo}
                value={target}
                options={others.map(({ connector, name }) => [connector, name ?? connector] as const)}
                onChange={setTarget}
              />
            ))}
          <TextField
            label={words.reason}
            hint={words.reasonHint}
            optional
            value={reason}
            wrong={problem?.field === 'reason' ? problem.message : null}
            onInput={setReason}
          />
          <p>
            <strong>{words.doYouWantToContinue}</strong>{' '}
            <span role="status">
              {tally !== null && words.progress(tally, (count) => formats.number(count))}
            </span>
          </p>
        </>
      )}
    </FormDialog>
  )
}

function ReportChoice(props: { report: 'with' | 'without'; onChange: (report: 'with' | 'without') => void }) {
  const words = useQueueWords()
  return (
    <ChoiceField
      label={words.ndr}
      value={props.report}
      options={[
        { value: 'with', label: words.withNdr, hint: words.withNdrHint },
        { value: 'without', label: words.withoutNdr, hint: words.withoutNdrHint },
      ]}
      onChange={props.onChange}
    />
  )
}

/** Null where it cannot be done. */
function actOf(kind: ActKind, options: { report: 'with' | 'without'; target: string }): QueueAct | null {
  if (kind === 'remove') return { action: 'remove', dsn: options.report === 'with' }
  if (kind !== 'redirect') return { action: kind }
  return options.target === '' ? null : { action: 'redirect', connector: options.target }
}

function submitWord({
  kind,
  report,
  words,
}: {
  kind: ActKind
  report: 'with' | 'without'
  words: Words
}): string {
  if (kind !== 'remove') return words.acts[kind]
  return report === 'with' ? words.withNdr : words.withoutNdr
}

function whatIs(chosen: Chosen, words: Words, written: (count: number) => string): string {
  if (chosen.kind === 'items') return words.count(written(chosen.items.length), chosen.items.length === 1)
  return Object.keys(chosen.filter).length === 0 ? words.everything : words.everythingMatching
}

/** Where mail may go: a connector that is there and enabled, other than the one that all of it is in. */
function isOther({ connector, state }: ConnectorView, chosen: Chosen): boolean {
  if (state === 'not-configured' || state === 'disabled' || state === 'unusable') return false
  const own =
    chosen.kind === 'items'
      ? new Set(chosen.items.map((item) => item.connector))
      : new Set([chosen.filter.connector])
  return own.size !== 1 || !own.has(connector)
}
