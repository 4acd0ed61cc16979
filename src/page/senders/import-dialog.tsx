/** Binds many senders at once: a file or pasted lines, looked through before they are sent. */
import { useId, useMemo, useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { ImportedView } from '../../admin/senders/sender-view.ts'
import { Problem, pathOf, writeText } from '../client.ts'
import { useFormats } from '../language.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { CheckField, TextField } from '../parts/fields.tsx'
import { Notice } from '../parts/notice.tsx'
import { tell } from '../parts/told.tsx'
import { type ImportPreview, type LineProblem, previewOf } from './import-preview.ts'
import { useSenderWords } from './words.ts'

interface ImportDialogProps {
  readonly connectors: readonly ConnectorView[]
  again(): Promise<void>
  onClose(): void
}

export function ImportDialog({ connectors, again, onClose }: ImportDialogProps) {
  const words = useSenderWords()
  const formats = useFormats()
  const [text, setText] = useState('')
  const [replace, setReplace] = useState(false)
  const id = useId()
  const known = useMemo(() => new Set(connectors.map(({ connector }) => connector)), [connectors])
  const preview = useMemo(() => (text.trim() === '' ? null : previewOf(text, known)), [text, known])
  const send = async () => {
    if (preview === null) throw new Problem(words.nothing, { status: 400 })
    if (preview.bad > 0) throw new Problem(words.wrongLines, { status: 400 })
    const path = pathOf(['senders', 'import'], { replace })
    const imported = await writeText<ImportedView>(path, text, 'text/csv')
    const { created, changed, unchanged, removed } = imported
    const count = formats.number.bind(formats)
    tell(
      words.imported({
        created: count(created),
        changed: count(changed),
        unchanged: count(unchanged),
        removed: count(removed),
      }),
    )
    for (const { message } of imported.warnings.slice(0, 3)) tell(message, 'warning')
    await again()
    onClose()
  }
  return (
    <FormDialog
      title={words.importTitle}
      wide
      submit={words.importAct}
      danger={replace}
      onSubmit={send}
      onClose={onClose}
    >
      {() => (
        <>
          <p class="hint">{words.importHint}</p>
          <div class="field">
            <label for={id}>{words.file}</label>
            <input
              id={id}
              type="file"
              accept=".csv,.txt,text/csv,text/plain"
              onChange={(event) => void event.currentTarget.files?.[0]?.text().then(setText)}
            />
          </div>
          <TextField
            label={words.paste}
            lines={8}
            code
            placeholder={words.importExample}
            value={text}
            onInput={setText}
          />
          {preview && <Preview of={preview} />}
          <CheckField
            label={words.replace}
            hint={words.replaceHint}
            checked={replace}
            onChange={setReplace}
          />
          {replace && <Notice tone="warning">{words.replaceWarning}</Notice>}
        </>
      )}
    </FormDialog>
  )
}

function Preview({ of: { good, bad, problems } }: { of: ImportPreview }) {
  const words = useSenderWords()
  const formats = useFormats()
  if (bad === 0)
    return (
      <div role="status">
        <Notice tone="good">{words.previewGood(formats.number(good))}</Notice>
      </div>
    )
  return (
    <div role="status">
      <Notice tone="warning">
        <p>{words.preview(formats.number(good), formats.number(bad))}</p>
        <ul class="bullets">
          {problems.map((problem) => (
            <Line key={problem.line} of={problem} />
          ))}
          {bad > problems.length && <li>{words.moreProblems(formats.number(bad - problems.length))}</li>}
        </ul>
      </Notice>
    </div>
  )
}

function Line({ of }: { of: LineProblem }) {
  const words = useSenderWords()
  const formats = useFormats()
  const texts = { fields: words.fieldsWrong, sender: words.lineSender }
  const text = of.kind === 'connector' ? words.lineConnector(of.connector) : texts[of.kind]
  return <li>{words.line(formats.number(of.line), text)}</li>
}
