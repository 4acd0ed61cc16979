/** What is searched for. */
import { useState } from 'preact/hooks'
import type { Problem } from '../client.ts'
import { Button } from '../parts/button.tsx'
import { SelectField, TextField } from '../parts/fields.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { useFrameWords } from '../words.ts'
import { eventNames, isEmptyQuery, type TraceField, type TraceQuery, traceFields } from './trace-query.ts'
import { useTraceWords } from './words.ts'

interface SearchFormProps {
  readonly query: TraceQuery
  /** What the API says of a value that it does not take. */
  readonly refused: Problem | null
  readonly onSearch: (query: TraceQuery) => void
}

export function SearchForm({ query, refused, onSearch }: SearchFormProps) {
  const frame = useFrameWords()
  const words = useTraceWords()
  const [typed, setTyped] = useState(query)
  const wrong = (field: TraceField) => (refused?.field === field ? refused.message : null)
  const fieldOf = (field: Exclude<TraceField, 'event'>, kind: 'search' | 'datetime-local') => (
    <TextField
      label={words.fields[field]}
      value={typed[field] ?? ''}
      kind={kind}
      {...hintOf(field, words.hints)}
      wrong={wrong(field)}
      onInput={(value) => setTyped({ ...typed, [field]: value })}
    />
  )
  return (
    <search>
      <form
        class="filter"
        onSubmit={(event) => {
          event.preventDefault()
          onSearch(typed)
        }}
      >
        {fieldOf('sender', 'search')}
        {fieldOf('recipient', 'search')}
        {fieldOf('id', 'search')}
        {fieldOf('internetMessageId', 'search')}
        {fieldOf('networkMessageId', 'search')}
        {fieldOf('connector', 'search')}
        <SelectField
          label={words.fields.event}
          value={typed.event ?? ''}
          options={[['', words.anyEvent], ...eventNames.map((name) => [name, name] as const)]}
          wrong={wrong('event')}
          onChange={(event) => setTyped({ ...typed, event })}
        />
        {fieldOf('from', 'datetime-local')}
        {fieldOf('until', 'datetime-local')}
        <div class="filter-acts">
          <Button type="submit" icon="search" kind="primary">
            {frame.search}
          </Button>
          {!isEmptyQuery(typed) && (
            <Button
              kind="quiet"
              icon="close"
              onClick={() => {
                setTyped({})
                onSearch({})
              }}
            >
              {words.clear}
            </Button>
          )}
        </div>
        <ProblemNotice problem={refused} shownAt={traceFields.some((field) => wrong(field) !== null)} />
      </form>
    </search>
  )
}

function hintOf(
  field: TraceField,
  hints: Readonly<Record<'id' | 'networkMessageId' | 'address', string>>,
): { placeholder?: string } {
  if (field === 'sender' || field === 'recipient') return { placeholder: hints.address }
  if (field === 'id' || field === 'networkMessageId') return { placeholder: hints[field] }
  return {}
}
