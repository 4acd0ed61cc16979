/** The columns of the list of messages. */

import type { ItemView } from '../../admin/queue/item-view.ts'
import type { Formats } from '../language.ts'
import { Address } from '../parts/address.tsx'
import { Badge, type Tone } from '../parts/badge.tsx'
import type { Column } from '../parts/table.tsx'
import { messageHref } from './places.ts'
import type { Words } from './words-en.ts'

interface MessageColumnOptions {
  readonly words: Words
  readonly formats: Formats
  readonly nameOf: (connector: string) => string
  readonly withConnector: boolean
}

export function messageColumns({
  words,
  formats,
  nameOf,
  withConnector,
}: MessageColumnOptions): Column<ItemView>[] {
  const { messageColumns: titles } = words
  return [
    {
      title: titles.from,
      cell: ({ id, from, connector }) => (
        <div class="two-lines">
          <a href={messageHref(id)}>{from === '' ? words.nullPath : <Address of={from} />}</a>
          {withConnector && <span class="hint">{nameOf(connector)}</span>}
        </div>
      ),
    },
    { title: titles.recipients, cell: (item) => <Recipients of={item} words={words} /> },
    {
      title: titles.status,
      cell: (item) => (
        <div class="two-lines">
          <ItemState of={item} words={words} />
          <span class="hint">{attemptsText(item, { words, formats })}</span>
        </div>
      ),
    },
    {
      title: titles.lastError,
      cell: (item) => <Why of={item} words={words} />,
    },
    {
      title: titles.received,
      cell: ({ receivedAt, expiresAt }) => (
        <div class="two-lines">
          <span>{formats.instant(receivedAt)}</span>
          <span class="hint">{words.expires(formats.relative(expiresAt, Date.now()))}</span>
        </div>
      ),
    },
    { title: titles.size, kind: 'number', cell: ({ sizeBytes }) => formats.bytes(sizeBytes) },
  ]
}

const tones: Readonly<Record<ItemView['state'], Tone>> = {
  ready: 'good',
  leased: 'good',
  deferred: 'warning',
  suspended: 'off',
}

export function ItemState({ of: { state }, words }: { of: ItemView; words: Words }) {
  return <Badge tone={tones[state]}>{words.itemStates[state]}</Badge>
}

/** Who holds it, and what the smart host said before. */
function Why({ of: { holdReason, lastError }, words }: { of: ItemView; words: Words }) {
  return (
    <div class="two-lines">
      {holdReason !== null && (
        <span>
          {words.held}: {holdReason}
        </span>
      )}
      {lastError !== null && <span class="reply">{lastError}</span>}
    </div>
  )
}

/** When something will happen by itself. */
export function nextAttemptText(
  { state, nextAttemptAt }: ItemView,
  { words, formats }: Pick<MessageColumnOptions, 'words' | 'formats'>,
): string {
  if (nextAttemptAt === null) return words.onlyByHand
  if (state === 'leased' || nextAttemptAt <= Date.now()) return words.nowDue
  return formats.relative(nextAttemptAt, Date.now())
}

/** `2 attempts, next in 5 minutes` */
function attemptsText(item: ItemView, options: Pick<MessageColumnOptions, 'words' | 'formats'>): string {
  const { words, formats } = options
  const made = words.attemptsMade(formats.number(item.attempts), item.attempts === 1)
  return item.nextAttemptAt === null ? made : `${made}, ${words.nextAt(nextAttemptText(item, options))}`
}

/** Who still waits comes first. */
function Recipients({ of: { recipients }, words }: { of: ItemView; words: Words }) {
  const [first, ...more] = [...recipients].sort(
    (a, b) => Number(b.state === 'pending') - Number(a.state === 'pending'),
  )
  return (
    <div class="two-lines">
      <span>
        <Address of={first?.address ?? ''} />
      </span>
      {more.length > 0 && <span class="hint">{words.andMore(String(more.length))}</span>}
    </div>
  )
}
