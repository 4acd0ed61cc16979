/** Which messages are shown. What is applied stands in the address: it can be sent to a colleague. */
import { useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { Problem } from '../client.ts'
import { Button, ButtonLink } from '../parts/button.tsx'
import { SelectField, TextField } from '../parts/fields.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { go } from '../router.ts'
import { connectorName } from './connector-name.ts'
import { messagesHref } from './places.ts'
import {
  type FilterField,
  filterFields,
  itemStates,
  type QueueFilter,
  type QueueOrder,
  queueOrders,
  withField,
} from './queue-filter.ts'
import { useQueueWords } from './words.ts'
import type { Words } from './words-en.ts'

interface FilterFormProps {
  readonly filter: QueueFilter
  readonly order: QueueOrder
  readonly connectors: readonly ConnectorView[]
  /** What the API says of a value that it does not take. */
  readonly refused: Problem | null
}

export function FilterForm({ filter, order, connectors, refused }: FilterFormProps) {
  const words = useQueueWords()
  const [typed, setTyped] = useState(filter)
  const change = (field: FilterField) => (value: string) => setTyped(withField(typed, field, value))
  const applied = (field: FilterField) => (value: string) =>
    go(messagesHref(withField(typed, field, value), order))
  const wrong = (field: FilterField) => (refused?.field === field ? refused.message : null)
  return (
    <search aria-label={words.filter}>
      <form
        class="filter"
        onSubmit={(event) => {
          event.preventDefault()
          go(messagesHref(typed, order))
        }}
      >
        <SelectField
          label={words.filterFields.connector}
          value={typed.connector ?? ''}
          options={[
            ['', words.anyConnector],
            ...connectorOptions(connectors, { chosen: typed.connector, words }),
          ]}
          wrong={wrong('connector')}
          onChange={applied('connector')}
        />
        <SelectField
          label={words.filterFields.state}
          value={typed.state ?? ''}
          options={[
            ['', words.anyState],
            ...itemStates.map((state) => [state, words.itemStates[state]] as const),
          ]}
          wrong={wrong('state')}
          onChange={applied('state')}
        />
        {(['sender', 'recipient', 'id'] as const).map((field) => (
          <TextField
            key={field}
            label={words.filterFields[field]}
            value={typed[field] ?? ''}
            kind="search"
            placeholder={field === 'id' ? words.filterHints.id : words.filterHints.address}
            wrong={wrong(field)}
            onInput={change(field)}
          />
        ))}
        <SelectField
          label={words.order}
          value={order}
          options={queueOrders.map((each) => [each, words.orders[each]] as const)}
          onChange={(chosen) => go(messagesHref(typed, chosen))}
        />
        <div class="filter-acts">
          <Button type="submit" icon="filter" kind="primary">
            {words.applyFilter}
          </Button>
          {Object.keys(filter).length > 0 && (
            <ButtonLink kind="quiet" icon="close" href={messagesHref({}, order)}>
              {words.clearFilter}
            </ButtonLink>
          )}
        </div>
        <ProblemNotice problem={refused} shownAt={filterFields.some((field) => wrong(field) !== null)} />
      </form>
    </search>
  )
}

/** The chosen one too where it has no queue, so that the field shows what is applied. */
function connectorOptions(
  connectors: readonly ConnectorView[],
  { chosen, words }: { chosen: string | undefined; words: Words },
): (readonly [string, string])[] {
  const ids = new Set(connectors.map(({ connector }) => connector))
  if (chosen !== undefined) ids.add(chosen)
  return [...ids].map((id) => [id, connectorName(id, { connectors, words })] as const)
}
