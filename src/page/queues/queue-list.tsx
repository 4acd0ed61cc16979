/** The queues, one for each connector: how they stand, what waits, why, and until when. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { pathOf, write } from '../client.ts'
import { type Formats, useFormats } from '../language.ts'
import { useLive } from '../overview/live-feed.ts'
import { summaryOf, within } from '../overview/live-series.ts'
import { Button } from '../parts/button.tsx'
import { useAct } from '../parts/dialog.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { tell } from '../parts/told.tsx'
import { usePolled } from '../polling.ts'
import { useFrameWords } from '../words.ts'
import { connectorName } from './connector-name.ts'
import { ConnectorState } from './connector-state.tsx'
import { messagesHref } from './places.ts'
import { queueLengthOf } from './queue-state.ts'
import { Tabs } from './tabs.tsx'
import { useQueueWords } from './words.ts'
import type { Words } from './words-en.ts'

export function QueueList() {
  const frame = useFrameWords()
  const words = useQueueWords()
  const connectors = usePolled<{ connectors: ConnectorView[] }>(pathOf(['connectors']), { everyMs: 3000 })
  return (
    <div class="queues">
      <Page title={frame.views.queues} lead={words.queuesLead}>
        <Tabs current="queues" />
        <NodeRates />
        <Shown of={connectors}>
          {({ connectors: queues }) => <QueueTable queues={queues} onRetried={connectors.again} />}
        </Shown>
      </Page>
    </div>
  )
}

function QueueTable({
  queues,
  onRetried,
}: {
  queues: readonly ConnectorView[]
  onRetried: () => Promise<void>
}) {
  const words = useQueueWords()
  const formats = useFormats()
  const act = useAct()
  if (queues.length === 0)
    return (
      <Empty title={words.noQueues}>
        <p>{words.noQueuesHint}</p>
      </Empty>
    )
  const retry = (queue: ConnectorView) =>
    void act.run(async () => {
      await write('POST', pathOf(['queue', 'actions']), {
        action: 'retry',
        filter: { connector: queue.connector },
      })
      tell(words.retriedQueue(nameOf(queue, words)))
      await onRetried()
    })
  return (
    <>
      <ProblemNotice problem={act.problem} />
      <Table
        label={words.tabs.queues}
        columns={columns({ words, formats, onRetry: retry })}
        rows={queues}
        keyOf={({ connector }) => connector}
      />
    </>
  )
}

interface ColumnOptions {
  readonly words: Words
  readonly formats: Formats
  readonly onRetry: (queue: ConnectorView) => void
}

function columns({ words, formats, onRetry }: ColumnOptions): Column<ConnectorView>[] {
  const { queueColumns: titles } = words
  return [
    {
      title: titles.connector,
      cell: (queue) => (
        <div class="two-lines">
          <a href={messagesHref({ connector: queue.connector })}>{nameOf(queue, words)}</a>
          <span class="hint">{queue.connector}</span>
        </div>
      ),
    },
    {
      title: titles.status,
      cell: (queue) => (
        <div class="two-lines">
          <ConnectorState of={queue} />
          {queue.connections > 0 && (
            <span class="hint">
              {words.connections(formats.number(queue.connections), queue.connections === 1)}
            </span>
          )}
        </div>
      ),
    },
    {
      title: titles.count,
      kind: 'number',
      cell: (queue) => {
        const length = queueLengthOf(queue)
        return (
          <div class="two-lines">
            <span>{length === null ? words.unknownCount : formats.number(length)}</span>
            <span class="hint">{statesText(queue, { words, formats })}</span>
          </div>
        )
      },
    },
    {
      title: titles.rates,
      cell: ({ rates }) => (
        <div class="two-lines rate">
          <span>{words.rateIn(formats.short(rates.incoming))}</span>
          <span>{words.rateOut(formats.short(rates.outgoing))}</span>
        </div>
      ),
    },
    { title: titles.nextRetry, cell: (queue) => nextRetryText(queue, formats) },
    { title: titles.lastError, cell: (queue) => replyOf(whyText(queue, words)) },
    {
      title: titles.acts,
      kind: 'acts',
      cell: (queue) =>
        canRetry(queue) && (
          <Button needs="operate" icon="refresh" onClick={() => onRetry(queue)}>
            {words.retryQueue}
          </Button>
        ),
    },
  ]
}

/** As in Exchange: a retry has effect on a queue that waits for one. */
function canRetry(queue: ConnectorView): boolean {
  return (queue.state === 'retry' || queue.state === 'suspended') && queueLengthOf(queue) !== 0
}

function nameOf(queue: ConnectorView, words: Words): string {
  return connectorName(queue.connector, { connectors: [queue], words })
}

function statesText(
  { queue }: ConnectorView,
  { words, formats }: Pick<ColumnOptions, 'words' | 'formats'>,
): string {
  if (queue === null) return ''
  return (['leased', 'deferred', 'ready', 'suspended'] as const)
    .filter((state) => queue[state] > 0)
    .map((state) => words.countOf(formats.number(queue[state]), words.itemStates[state]))
    .join(', ')
}

function nextRetryText({ nextAttemptAt, waitingUntil }: ConnectorView, formats: Formats): string {
  const at = nextAttemptAt ?? waitingUntil
  return at === null ? '' : `${formats.time(at)} (${formats.relative(at, Date.now())})`
}

function whyText({ lastError, waitingFor }: ConnectorView, words: Words): string | null {
  return lastError ?? (waitingFor === null ? null : words.waitsFor(waitingFor))
}

const replyOf = (text: string | null) => text !== null && <span class="reply">{text}</span>

function NodeRates() {
  const words = useQueueWords()
  const formats = useFormats()
  const lastMinute = within(useLive().samples, 1)
  const rate = (mean: number | null) =>
    mean === null ? words.unknownCount : words.perSecond(formats.short(mean))
  return (
    <p class="rates" title={words.rates}>
      <span class="unseen">{words.rates}: </span>
      <span>
        {words.incomingRate} <strong>{rate(summaryOf(lastMinute, ({ accepted }) => accepted).mean)}</strong>
      </span>
      <span>
        {words.outgoingRate} <strong>{rate(summaryOf(lastMinute, ({ relayed }) => relayed).mean)}</strong>
      </span>
    </p>
  )
}
