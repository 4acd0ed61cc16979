/** One message of the queue, or one item of it: whom it is for, what they answered, what happens next. */

import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { ItemPage, ItemView } from '../../admin/queue/item-view.ts'
import { pathOf } from '../client.ts'
import { useFormats } from '../language.ts'
import { Address } from '../parts/address.tsx'
import { Badge, type Tone } from '../parts/badge.tsx'
import { ButtonLink } from '../parts/button.tsx'
import { Facts, Page, Section } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../polling.ts'
import { ActButtons } from './act-bar.tsx'
import { connectorName, connectorNameAndId } from './connector-name.ts'
import { ItemState, nextAttemptText } from './message-columns.tsx'
import { messageHref, messagesHref, traceHref } from './places.ts'
import { useQueueWords } from './words.ts'

export function MessageDetails({ id }: { id: string }) {
  const words = useQueueWords()
  const items = usePolled<ItemPage>(pathOf(['queue', id]), { everyMs: 3000 })
  const connectors = usePolled<{ connectors: ConnectorView[] }>(pathOf(['connectors']), { everyMs: 30_000 })
  const back = { href: messagesHref(), label: words.backToMessages }
  return (
    <div class="queues">
      <Page title={`${words.message} ${id}`} back={back}>
        {items.problem?.status === 404 ? (
          <Gone id={id} />
        ) : (
          <Shown of={items}>
            {({ items: found }) => (
              <>
                {found.length > 1 && <p class="lead">{words.itemsOfMessage(String(found.length))}</p>}
                {found.map((item) => (
                  <Item
                    key={item.id}
                    item={item}
                    connectors={connectors.answer?.connectors ?? []}
                    onChanged={items.again}
                  />
                ))}
              </>
            )}
          </Shown>
        )}
      </Page>
    </div>
  )
}

function Gone({ id }: { id: string }) {
  const words = useQueueWords()
  return (
    <Empty title={words.gone}>
      <p>{words.goneHint}</p>
      <ButtonLink href={traceHref(id)} icon="search">
        {words.trace}
      </ButtonLink>
    </Empty>
  )
}

interface ItemProps {
  readonly item: ItemView
  readonly connectors: readonly ConnectorView[]
  readonly onChanged: () => Promise<void>
}

function Item({ item, connectors, onChanged }: ItemProps) {
  const words = useQueueWords()
  const name = connectorName(item.connector, { connectors, words })
  return (
    <Section title={name}>
      <ActButtons chosen={{ kind: 'items', items: [item] }} connectors={connectors} onDone={onChanged}>
        <ButtonLink icon="search" href={traceHref(item.messageId)}>
          {words.trace}
        </ButtonLink>
        <ButtonLink icon="import" needs="operate" href={`.${pathOf(['queue', item.id, 'message'])}`}>
          {words.download}
        </ButtonLink>
      </ActButtons>
      <ItemFacts item={item} nameAndId={connectorNameAndId(item.connector, { connectors, words })} />
      <h3>{words.recipientInformation}</h3>
      <Recipients of={item} />
    </Section>
  )
}

function ItemFacts({ item, nameAndId }: { item: ItemView; nameAndId: string }) {
  const words = useQueueWords()
  const formats = useFormats()
  const { messageColumns: titles } = words
  const { id, messageId, connector, from, attempts, holdReason, lastError } = item
  const { receivedAt, expiresAt, sizeBytes, client } = item
  const held = holdReason === null ? [] : [[words.held, holdReason] as const]
  return (
    <Facts
      of={[
        [titles.status, <ItemState key="state" of={item} words={words} />],
        [titles.nextAttempt, nextAttemptText(item, { words, formats })],
        ...held,
        [titles.lastError, lastError === null ? words.noReply : <span class="reply">{lastError}</span>],
        [titles.attempts, formats.number(attempts)],
        [titles.from, from === '' ? words.nullPath : from],
        [titles.connector, <a href={messagesHref({ connector })}>{nameAndId}</a>],
        [titles.size, formats.bytes(sizeBytes)],
        [titles.received, formats.instant(receivedAt)],
        [titles.expires, formats.instant(expiresAt)],
        [words.client, words.clientText(client.address, client.listener, client.user)],
        [words.identity, <code>{id}</code>],
        [
          words.messageId,
          <a href={messageHref(messageId)}>
            <code>{messageId}</code>
          </a>,
        ],
      ]}
    />
  )
}

const tones: Readonly<Record<ItemView['recipients'][number]['state'], Tone>> = {
  pending: 'waiting',
  delivered: 'good',
  failed: 'bad',
}

/** Exchange's states: who has been put off is in Retry. */
function RecipientState({ of: { state, lastReply } }: { of: ItemView['recipients'][number] }) {
  const words = useQueueWords()
  if (state === 'pending' && lastReply !== null) return <Badge tone="warning">{words.recipientRetry}</Badge>
  return <Badge tone={tones[state]}>{words.recipientStates[state]}</Badge>
}

function Recipients({ of: { recipients } }: { of: ItemView }) {
  const words = useQueueWords()
  const { recipientColumns: titles } = words
  return (
    <Table
      label={words.recipientInformation}
      rows={recipients}
      keyOf={({ address }) => address}
      columns={[
        { title: titles.address, cell: ({ address }) => <Address of={address} /> },
        {
          title: titles.status,
          cell: (recipient) => <RecipientState of={recipient} />,
        },
        {
          title: titles.reply,
          cell: ({ lastReply }) => <span class="reply">{lastReply ?? words.noReply}</span>,
        },
      ]}
    />
  )
}
