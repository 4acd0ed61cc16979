/** The messages of the queue: found by a filter that stands in the address, read page by page, acted on together. */
import { useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { ItemPage, ItemView } from '../../admin/queue/item-view.ts'
import { pathOf, read } from '../client.ts'
import { useFormats } from '../language.ts'
import { Button } from '../parts/button.tsx'
import { useAct } from '../parts/dialog.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../polling.ts'
import { useFrameWords } from '../words.ts'
import { ActBar } from './act-bar.tsx'
import { connectorName } from './connector-name.ts'
import { FilterForm } from './filter-form.tsx'
import { messageColumns } from './message-columns.tsx'
import type { QueueFilter, QueueOrder } from './queue-filter.ts'
import { Tabs } from './tabs.tsx'
import { useQueueWords } from './words.ts'

interface MessagesProps {
  readonly filter: QueueFilter
  readonly order: QueueOrder
}

export function Messages({ filter, order }: MessagesProps) {
  const frame = useFrameWords()
  const path = pathOf(['queue'], { ...filter, order, limit: pageLength })
  const first = usePolled<ItemPage>(path, { everyMs: 4000 })
  const connectors = usePolled<{ connectors: ConnectorView[] }>(pathOf(['connectors']), { everyMs: 30_000 })
  const known = connectors.answer?.connectors ?? []
  const refused = first.problem?.status === 400 ? first.problem : null
  return (
    <div class="queues">
      <Page title={frame.views.queues}>
        <Tabs current="messages" />
        <FilterForm key={path} filter={filter} order={order} connectors={known} refused={refused} />
        {refused === null && (
          <Shown of={first}>
            {(page) => (
              <MessageList
                key={path}
                first={page}
                filter={filter}
                order={order}
                connectors={known}
                onChanged={first.again}
              />
            )}
          </Shown>
        )}
      </Page>
    </div>
  )
}

const pageLength = 100

interface MessageListProps extends MessagesProps {
  readonly first: ItemPage
  readonly connectors: readonly ConnectorView[]
  readonly onChanged: () => Promise<void>
}

/** The first page is always new; those behind it stay as they were when they were asked for. */
function MessageList({ first, filter, order, connectors, onChanged }: MessageListProps) {
  const words = useQueueWords()
  const formats = useFormats()
  const further = useFurtherPages({ filter, order })
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set())
  const [allMatching, setAllMatching] = useState(false)
  const items = unique([...first.items, ...further.items])
  const next = further.asked ? further.next : first.next
  const chosen = items.filter(({ id }) => ticked.has(id))
  if (items.length === 0 && next === null) return <NoMessages filtered={Object.keys(filter).length > 0} />
  const tick = (ids: ReadonlySet<string>) => {
    setTicked(ids)
    setAllMatching(false)
  }
  const foot = <ListFoot count={items.length} next={next} further={further} />
  // The store looks at a bounded number for each page: none of them may match.
  if (items.length === 0) return foot
  return (
    <>
      <ActBar
        chosen={allMatching ? { kind: 'matching', filter } : { kind: 'items', items: chosen }}
        connectors={connectors}
        moreThanShown={next !== null || items.length > chosen.length}
        onChooseAll={() => setAllMatching(true)}
        onChooseNone={() => tick(new Set())}
        onDone={async () => {
          tick(new Set())
          further.clear()
          await onChanged()
        }}
      />
      <Table
        label={words.tabs.messages}
        columns={messageColumns({
          ...{ words, formats, nameOf: (id) => connectorName(id, { connectors, words }) },
          withConnector: filter.connector === undefined,
        })}
        rows={items}
        keyOf={({ id }) => id}
        nameOf={({ id, from }) => `${from === '' ? '<>' : from} ${id}`}
        selection={{ selected: allMatching ? new Set(items.map(({ id }) => id)) : ticked, onChange: tick }}
      />
      {foot}
    </>
  )
}

interface ListFootProps {
  readonly count: number
  readonly next: string | null
  readonly further: ReturnType<typeof useFurtherPages>
}

function ListFoot({ count, next, further }: ListFootProps) {
  const frame = useFrameWords()
  const words = useQueueWords()
  const formats = useFormats()
  return (
    <div class="list-foot">
      <p>{count === 0 ? words.noMatchYet : words.shownSoFar(formats.number(count), count === 1)}</p>
      <ProblemNotice problem={further.problem} />
      {next !== null && (
        <Button busy={further.busy} onClick={() => further.load(next)}>
          {frame.more}
        </Button>
      )}
    </div>
  )
}

function NoMessages({ filtered }: { filtered: boolean }) {
  const words = useQueueWords()
  if (filtered) return <Empty title={words.noMatch} />
  return (
    <Empty title={words.noMessages}>
      <p>{words.noMessagesHint}</p>
    </Empty>
  )
}

function useFurtherPages({ filter, order }: MessagesProps) {
  const [pages, setPages] = useState<readonly ItemPage[]>([])
  const act = useAct()
  return {
    items: pages.flatMap(({ items }) => items),
    asked: pages.length > 0,
    next: pages.at(-1)?.next ?? null,
    busy: act.busy,
    problem: act.problem,
    clear: () => setPages([]),
    load: (after: string) =>
      void act.run(async () => {
        const page = await read<ItemPage>(pathOf(['queue'], { ...filter, order, limit: pageLength, after }))
        setPages((before) => [...before, page])
      }),
  }
}

/** What moved to the first page meanwhile is shown once. */
function unique(items: readonly ItemView[]): ItemView[] {
  return [...new Map(items.map((item) => [item.id, item])).values()]
}
