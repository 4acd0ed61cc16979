/** The history of one message: what it is, what became of each recipient, and its way, event by event. */

import type { ComponentChildren } from 'preact'
import { useFormats } from '../language.ts'
import { Address } from '../parts/address.tsx'
import { Badge, type Tone } from '../parts/badge.tsx'
import { ButtonLink } from '../parts/button.tsx'
import { Facts } from '../parts/page.tsx'
import { Table } from '../parts/table.tsx'
import { messageHref } from '../queues/places.ts'
import { type FateKind, type History, isOpen } from './history.ts'
import { Timeline } from './timeline.tsx'
import { useTraceWords } from './words.ts'

export function MessageHistory({ history }: { history: History }) {
  const words = useTraceWords()
  const { messageId, standing, steps } = history
  return (
    <div class="history-body">
      {isOpen(standing) && (
        <div class="toolbar">
          <ButtonLink icon="search" href={messageHref(messageId)}>
            {words.showInQueue}
          </ButtonLink>
        </div>
      )}
      <HistoryFacts {...history} />
      {history.fates.length > 0 && <Fates {...history} />}
      <h3>{words.timeline}</h3>
      <Timeline steps={steps} messageId={messageId} />
    </div>
  )
}

type Fact = readonly [name: string, value: ComponentChildren]

function HistoryFacts(history: History) {
  const words = useTraceWords()
  const formats = useFormats()
  const { messageId, internetMessageId, networkMessageId, from, sizeBytes, client, listener } = history
  const source = client !== null && listener !== null ? words.by(client, listener) : (client ?? listener)
  const facts: (Fact | false)[] = [
    [words.facts.messageId, <code>{messageId}</code>],
    internetMessageId !== null && [words.facts.internetMessageId, <code>{internetMessageId}</code>],
    networkMessageId !== null && [words.facts.networkMessageId, <code>{networkMessageId}</code>],
    from !== null && [words.facts.from, from === '' ? words.nullPath : from],
    sizeBytes !== null && [words.facts.size, formats.bytes(sizeBytes)],
    source !== null && [words.facts.source, source],
  ]
  return <Facts of={facts.filter((fact) => fact !== false)} />
}

const tones: Readonly<Record<FateKind, Tone>> = {
  waiting: 'waiting',
  deferred: 'warning',
  sent: 'good',
  failed: 'bad',
  refused: 'bad',
  dropped: 'off',
  removed: 'off',
}

function Fates({ fates }: Pick<History, 'fates'>) {
  const words = useTraceWords()
  const { recipientColumns: titles } = words
  return (
    <Table
      label={words.recipients}
      rows={fates}
      keyOf={({ address }) => address}
      columns={[
        { title: titles.address, cell: ({ address }) => <Address of={address} /> },
        { title: titles.fate, cell: ({ fate }) => <Badge tone={tones[fate]}>{words.fates[fate]}</Badge> },
        {
          title: titles.status,
          cell: ({ status }) => status !== null && <span class="reply">{status}</span>,
        },
      ]}
    />
  )
}
