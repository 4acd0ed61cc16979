/** Connectors that do not send as they should: why, and when they try again. Nothing where all is in order. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { pathOf } from '../client.ts'
import { useFormats } from '../language.ts'
import { Icon } from '../parts/icon.tsx'
import { Section } from '../parts/page.tsx'
import { Shown } from '../parts/shown.tsx'
import { usePolled } from '../polling.ts'
import { ConnectorState } from '../queues/connector-state.tsx'
import { messagesHref } from '../queues/places.ts'
import { queueLengthOf } from '../queues/queue-state.ts'
import { useOverviewWords } from './words.ts'

export function Troubles() {
  const words = useOverviewWords()
  const connectors = usePolled<{ connectors: ConnectorView[] }>(pathOf(['connectors']), { everyMs: 3000 })
  return (
    <Section title={words.trouble}>
      <Shown of={connectors}>
        {({ connectors }) => {
          const troubled = connectors.filter(isInTrouble)
          if (troubled.length === 0)
            return (
              <p class="in-order">
                <Icon name="good" />
                {words.noTrouble}
              </p>
            )
          return (
            <ul class="troubles">
              {troubled.map((connector) => (
                <Trouble key={connector.connector} {...connector} />
              ))}
            </ul>
          )
        }}
      </Shown>
    </Section>
  )
}

/** What an operator has disabled is none, unless mail waits for it. */
function isInTrouble(connector: ConnectorView): boolean {
  if (connector.state === 'ready') return connector.waitingUntil !== null
  if (connector.state === 'disabled' || connector.state === 'not-configured')
    return queueLengthOf(connector) !== 0
  return true
}

function Trouble(connector: ConnectorView) {
  const words = useOverviewWords()
  const formats = useFormats()
  const { connector: id, name, lastError, nextAttemptAt, waitingUntil, waitingFor } = connector
  const length = queueLengthOf(connector)
  const when = (at: number) => formats.relative(at, Date.now())
  return (
    <li class="trouble">
      <div class="trouble-head">
        <a href={messagesHref({ connector: id })}>{name ?? id}</a>
        <ConnectorState of={connector} />
      </div>
      {lastError !== null && <p class="reply">{lastError}</p>}
      <p class="trouble-next">
        {[
          nextAttemptAt !== null && words.nextAttempt(when(nextAttemptAt)),
          waitingUntil !== null && waitingFor !== null && words.waits(waitingFor, when(waitingUntil)),
          length !== null && words.waiting(formats.number(length), length === 1),
        ]
          .filter(Boolean)
          .join('; ')}
      </p>
    </li>
  )
}
