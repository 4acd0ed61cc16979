/** How a connector stands on this node, and what its queue holds. */
import type { ComponentChildren } from 'preact'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { useFormats } from '../language.ts'
import { Notice } from '../parts/notice.tsx'
import { Facts, Section } from '../parts/page.tsx'
import { ConnectorState } from '../queues/connector-state.tsx'
import { messagesHref } from '../queues/places.ts'
import { sendersHref } from './connector-list.tsx'
import { useConnectorWords } from './words.ts'

type Fact = readonly [name: string, value: ComponentChildren]

export function ConnectorStatus({ of }: { of: ConnectorView }) {
  const words = useConnectorWords()
  const formats = useFormats()
  const { facts } = words
  const since = (at: number | null) => (at === null ? '–' : formats.instant(at))
  return (
    <>
      {of.state === 'unusable' && (
        <Notice tone="bad">{`${words.unusable}: ${of.fault ?? of.lastError ?? ''}`}</Notice>
      )}
      <Section title={facts.state}>
        <Facts
          of={[
            [facts.state, <ConnectorState key="state" of={of} />],
            ...optional(facts.lastError, of.lastError),
            ...optional(facts.nextAttempt, of.nextAttemptAt && formats.instant(of.nextAttemptAt)),
            ...optional(
              facts.waiting,
              of.waitingFor && facts.until(of.waitingFor, formats.instant(of.waitingUntil ?? 0)),
            ),
            [facts.connections, formats.number(of.connections)],
            [facts.attempts, formats.number(of.attemptsInFlight)],
          ]}
        />
      </Section>
      <Section title={words.columns.queue}>
        <Facts of={queueFacts(of)} />
      </Section>
      <Section title={words.tabs.general}>
        <Facts
          of={[
            [facts.number, of.connector],
            [facts.origin, of.origin === null ? '–' : words.atOrigin[of.origin]],
            [
              facts.senders,
              <a key="senders" href={sendersHref(of.connector)}>
                {formats.number(of.senders)}
              </a>,
            ],
            [facts.created, since(of.createdAt)],
            [facts.changed, since(of.changedAt)],
          ]}
        />
      </Section>
    </>
  )

  function queueFacts({ connector, queue }: ConnectorView): readonly Fact[] {
    const states = ['ready', 'deferred', 'leased', 'suspended'] as const
    return states.map((state) => {
      if (queue === null) return [facts[state], '–']
      const count = formats.number(queue[state])
      if (queue[state] === 0) return [facts[state], count]
      return [
        facts[state],
        <a key={state} href={messagesHref({ connector, state })}>
          {count}
        </a>,
      ]
    })
  }
}

const optional = (name: string, value: string | number | null): readonly Fact[] =>
  value === null || value === '' ? [] : [[name, value]]
