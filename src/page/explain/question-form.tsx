/** The message that is asked about. */
import type { Problem } from '../client.ts'
import { TextField } from '../parts/fields.tsx'
import type { QuestionFields } from './question.ts'
import { useExplainWords } from './words.ts'

interface QuestionFormProps {
  readonly fields: QuestionFields
  readonly refused: Problem | null
  readonly onChange: (fields: QuestionFields) => void
}

/** Which field of the form the API means; null where none. */
export function fieldOfProblem({ field }: Problem): keyof QuestionFields | null {
  const [first] = (field ?? '').split('.')
  if (first === 'header') return 'headers'
  return (['from', 'to', 'size', 'ip', 'message'] as const).find((name) => name === first) ?? null
}

export function QuestionForm({ fields, refused, onChange }: QuestionFormProps) {
  const words = useExplainWords()
  const at = refused === null ? null : fieldOfProblem(refused)
  const bound = (name: keyof QuestionFields) => ({
    value: fields[name],
    wrong: at === name ? refused!.message : null,
    onInput: (value: string) => onChange({ ...fields, [name]: value }),
  })
  return (
    <form class="section" aria-label={words.question} onSubmit={(event) => event.preventDefault()}>
      <div class="fields question">
        <TextField
          label={words.from}
          hint={words.fromHint}
          placeholder="sender@example.com"
          {...bound('from')}
        />
        <TextField
          label={words.to}
          hint={words.toHint}
          placeholder="recipient@example.org"
          lines={2}
          {...bound('to')}
        />
        <TextField label={words.size} hint={words.sizeHint} optional {...bound('size')} />
        <TextField label={words.ip} hint={words.ipHint} optional {...bound('ip')} />
      </div>
      <details>
        <summary>{words.more}</summary>
        <div class="fields">
          <TextField
            label={words.headers}
            hint={words.headersHint}
            lines={3}
            code
            optional
            {...bound('headers')}
          />
          <TextField
            label={words.message}
            hint={words.messageHint}
            lines={8}
            code
            optional
            {...bound('message')}
          />
          <FileField onRead={(message) => onChange({ ...fields, message })} />
        </div>
      </details>
    </form>
  )
}

function FileField({ onRead }: { onRead: (text: string) => void }) {
  const words = useExplainWords()
  return (
    <label class="file">
      <span>{words.file}</span>
      <input
        type="file"
        accept=".eml,message/rfc822,text/plain"
        onChange={async ({ currentTarget }) => {
          const [file] = currentTarget.files ?? []
          if (file !== undefined) onRead(await file.text())
          // The same file may have changed, and be chosen once more.
          currentTarget.value = ''
        }}
      />
    </label>
  )
}
