/** A message's way as a line of events, with the time between them, and what each of them says. */
import type { ComponentChildren } from 'preact'
import type { TrackedEvent } from '../../tracking/tracked-event.ts'
import { type Formats, useFormats } from '../language.ts'
import type { Tone } from '../parts/badge.tsx'
import { Icon } from '../parts/icon.tsx'
import { useConnectorNames } from '../queues/use-connector-names.ts'
import { agentInfoOf, isArrival, isRefusal, remoteQueueId, type TimelineStep } from './history.ts'
import { useTraceWords } from './words.ts'
import type { Words } from './words-en.ts'

const tones: Readonly<Record<string, Tone>> = {
  RECEIVE: 'info',
  SEND: 'good',
  DEFER: 'warning',
  FAIL: 'bad',
  BADMAIL: 'bad',
  DROP: 'off',
  REMOVE: 'off',
  SUSPEND: 'off',
}

export function Timeline({ steps, messageId }: { steps: readonly TimelineStep[]; messageId: string }) {
  const words = useTraceWords()
  const formats = useFormats()
  const nameOf = useConnectorNames()
  return (
    <ol class="timeline">
      {steps.map(({ event, sincePreviousMs }, index) => (
        <li key={index} class={`step ${tones[event.event] ?? 'waiting'}`}>
          <Icon name={tones[event.event] ?? 'waiting'} />
          <div class="step-head">
            <strong>{isRefusal(event) ? words.refused : (words.events[event.event] ?? event.event)}</strong>
            <code>{event.event}</code>
            <time dateTime={new Date(event.at).toISOString()}>{formats.instant(event.at)}</time>
            {sincePreviousMs !== null && (
              <span class="hint">
                {sincePreviousMs === 0 ? words.atOnce : words.after(formats.duration(sincePreviousMs))}
              </span>
            )}
          </div>
          <EventDetails event={event} messageId={messageId} nameOf={nameOf} />
        </li>
      ))}
    </ol>
  )
}

interface EventDetailsProps {
  readonly event: TrackedEvent
  readonly messageId: string
  readonly nameOf: (connector: string) => string
}

function EventDetails({ event, messageId, nameOf }: EventDetailsProps) {
  const words = useTraceWords()
  const formats = useFormats()
  const { details } = words
  return (
    <div class="step-body">
      {event.recipients.length > 0 && <StepRecipients event={event} />}
      {event.details.Uncertain && <p class="bad-text">{details.uncertain}</p>}
      {event.details.Expired && <p class="bad-text">{details.expired}</p>}
      <dl class="step-facts">
        {factsOf(event, { words, formats, messageId, nameOf }).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** A smart host answers each recipient; most often all alike. */
function StepRecipients({ event: { recipients, recipientCount } }: { event: TrackedEvent }) {
  const words = useTraceWords()
  const formats = useFormats()
  const shown = recipients.slice(0, mostShown)
  const more = recipientCount > shown.length && words.andMore(formats.number(recipientCount - shown.length))
  if (recipients.every(({ status }) => status === null))
    return (
      <p class="step-recipients">
        {formats.list(shown.map(({ address }) => address))} {more}
      </p>
    )
  return (
    <ul class="step-recipients">
      {shown.map(({ address, status }) => (
        <li key={address}>
          {address}
          {status !== null && <span class="reply">{status}</span>}
        </li>
      ))}
      {more && <li class="hint">{more}</li>}
    </ul>
  )
}

const mostShown = 10

/** Of operators, of rules that hold, of the relay that routes again: what they give is a reason, not an answer. */
const acts: ReadonlySet<string> = new Set(['SUSPEND', 'RESUME', 'RETRY', 'REMOVE', 'RESUBMIT'])

type Fact = readonly [name: string, value: ComponentChildren]

function factsOf(
  event: TrackedEvent,
  {
    words,
    formats,
    messageId,
    nameOf,
  }: Omit<EventDetailsProps, 'event'> & { words: Words; formats: Formats },
): Fact[] {
  const { details: names } = words
  const { details, context, recipients } = event
  const agent = agentInfoOf(event)
  const answered = recipients.some(({ status }) => status !== null)
  const remoteId = event.event === 'SEND' ? remoteQueueId(recipients[0]?.status ?? context) : null
  const facts: (Fact | null)[] = [
    agent && [words.agents[agent.kind], agent.name],
    ...(agent?.values ?? []),
    // What the recipients' own answers say already.
    context !== null && !answered ? [acts.has(event.event) ? names.reason : names.reply, context] : null,
    fact(names.remoteId, remoteId && <code>{remoteId}</code>),
    fact(names.client, event.client),
    // Exchange's log has one field for the connector that a message came by and the one that it left by.
    isArrival(event)
      ? fact(names.listener, event.connector)
      : fact(names.connector, event.connector && nameOf(event.connector)),
    fact(names.host, event.host),
    fact(names.user, details.User),
    fact(names.tls, details.TLS),
    fact(names.connectors, details.Connectors && formats.list(details.Connectors.split('|').map(nameOf))),
    fact(names.from, details.FromConnector && nameOf(details.FromConnector)),
    fact(names.attempts, details.Attempts),
    fact(names.nextAttempt, details.NextAttempt && formats.instant(Date.parse(details.NextAttempt))),
    fact(names.by, details.By),
    fact(names.kind, details.Kind),
    event.event === 'TRANSFER' ? fact(names.form, event.reference) : null,
    event.event === 'FAIL' || event.event === 'REMOVE' ? fact(names.reportedIn, event.reference) : null,
    event.messageId === messageId ? null : fact(names.queuedAs, <code>{event.messageId}</code>),
    fact(names.item, event.itemId && <code>{event.itemId}</code>),
    fact(names.source, event.source),
  ]
  return facts.filter((each) => each !== null)
}

function fact(name: string, value: ComponentChildren): Fact | null {
  return value === null || value === undefined || value === '' ? null : [name, value]
}
