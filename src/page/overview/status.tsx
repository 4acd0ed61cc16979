/** Whether the relay takes mail, and what it is: version, store, listeners, room in the queue. */
import type { StatusView } from '../../admin/live/status-view.ts'
import { useFormats } from '../language.ts'
import { Badge } from '../parts/badge.tsx'
import { Notice } from '../parts/notice.tsx'
import { Facts } from '../parts/page.tsx'
import { Shown } from '../parts/shown.tsx'
import type { Polled } from '../polling.ts'
import { useOverviewWords } from './words.ts'

export function ReadyBadge({ of: { ready } }: { of: StatusView }) {
  const words = useOverviewWords()
  return <Badge tone={ready.ok ? 'good' : 'bad'}>{ready.ok ? words.ready : words.notReady}</Badge>
}

export function Status({ of }: { of: Polled<StatusView> }) {
  const words = useOverviewWords()
  return (
    <Shown of={of}>
      {(status) => (
        <>
          {!status.ready.ok && (
            <Notice tone="bad">
              <p>{words.faults}</p>
              <List of={status.ready.faults} />
            </Notice>
          )}
          {status.unusable.length > 0 && (
            <Notice tone="warning">
              <List of={status.unusable.map(({ kind, id, why }) => `${words.unusable(kind, id)} ${why}`)} />
            </Notice>
          )}
          <StatusFacts {...status} />
        </>
      )}
    </Shown>
  )
}

function List({ of }: { of: readonly string[] }) {
  return (
    <ul>
      {of.map((text) => (
        <li key={text}>{text}</li>
      ))}
    </ul>
  )
}

function StatusFacts(status: StatusView) {
  const words = useOverviewWords()
  const formats = useFormats()
  const { version, hostname, startedAt, store, queue, limits, listeners, memoryBytes, connectors, senders } =
    status
  const { facts } = words
  return (
    <>
      <p class="lead">
        {[
          words.running(version, hostname),
          words.store[store] ?? store,
          words.since(formats.relative(startedAt, Date.now())),
        ].join(', ')}
      </p>
      <Facts
        of={[
          [
            facts.queue,
            queue === null
              ? words.noValue
              : `${words.items(formats.number(queue.items), formats.number(limits.maxItems))}, ${words.bytes(formats.bytes(queue.bytes), formats.bytes(limits.maxBytes))}`,
          ],
          ...listeners.map(
            ({ name, address, port, sessions }) =>
              [
                words.listener(name),
                `${addressText(address, port)}, ${sessions === null ? words.notListening : words.sessions(formats.number(sessions), sessions === 1)}`,
              ] as const,
          ),
          [facts.connectors, formats.number(connectors)],
          [facts.senders, formats.number(senders)],
          [facts.memory, formats.bytes(memoryBytes)],
        ]}
      />
    </>
  )
}

const addressText = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
