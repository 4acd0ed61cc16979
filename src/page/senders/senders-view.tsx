/** Senders and the connectors they are bound to: a list to search, page by page, as there may be very many. */
import { useEffect, useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { SenderListView, SenderView } from '../../admin/senders/sender-view.ts'
import { pathOf } from '../client.ts'
import { useFormats } from '../language.ts'
import { Button } from '../parts/button.tsx'
import { SelectField, TextField } from '../parts/fields.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { usePolled } from '../polling.ts'
import { go, hrefTo } from '../router.ts'
import type { ViewProps } from '../view.ts'
import { useFrameWords } from '../words.ts'
import { BindDialog } from './bind-dialog.tsx'
import { ImportDialog } from './import-dialog.tsx'
import './senders.css'
import { SenderTable } from './sender-table.tsx'
import { UnbindDialog } from './unbind-dialog.tsx'
import { useSenderWords } from './words.ts'

/** The same query reads the list, and exports it. */
interface Filter {
  readonly search: string
  readonly connector: string
  readonly origin: string
}

type Open = { readonly act: 'bind' | 'import' } | { readonly act: 'edit' | 'unbind'; readonly of: SenderView }

const pageSize = 100

export function SendersView({ route }: ViewProps) {
  const words = useSenderWords()
  const frame = useFrameWords()
  const filter: Filter = {
    search: route.query.get('search') ?? '',
    connector: route.query.get('connector') ?? '',
    origin: route.query.get('origin') ?? '',
  }
  const pages = usePages(JSON.stringify(filter))
  const list = usePolled<SenderListView>(
    pathOf(['senders'], { ...filter, limit: pageSize, after: pages.after }),
  )
  const connectors = usePolled<{ connectors: readonly ConnectorView[] }>(pathOf(['connectors']))
  const usable = (connectors.answer?.connectors ?? []).filter(({ settings }) => settings !== null)
  const [open, setOpen] = useState<Open | null>(null)
  const close = () => setOpen(null)
  const dialog = { connectors: usable, again: list.again, onClose: close }
  const filtered = filter.search !== '' || filter.connector !== '' || filter.origin !== ''
  return (
    <Page
      title={frame.views.senders}
      lead={words.lead}
      toolbar={
        <>
          <Button kind="primary" icon="add" needs="admin" onClick={() => setOpen({ act: 'bind' })}>
            {words.bind}
          </Button>
          <Button icon="import" needs="admin" onClick={() => setOpen({ act: 'import' })}>
            {words.import}
          </Button>
          <a
            class="button plain"
            href={`.${pathOf(['senders'], { ...filter, format: 'csv' })}`}
            download="senders.csv"
          >
            {words.export}
          </a>
          <Button icon="refresh" onClick={() => void list.again()}>
            {frame.refresh}
          </Button>
        </>
      }
    >
      <FilterFields filter={filter} connectors={usable} />
      <Shown of={list}>
        {({ senders, total, next }) =>
          senders.length === 0 ? (
            <Empty title={filtered ? words.noneFound : words.none}>
              {!filtered && <p>{words.noneHint}</p>}
            </Empty>
          ) : (
            <>
              <SenderTable
                senders={senders}
                onEdit={(of) => setOpen({ act: 'edit', of })}
                onUnbind={(of) => setOpen({ act: 'unbind', of })}
              />
              <Pager pages={pages} shown={senders.length} total={total} next={next} />
            </>
          )
        }
      </Shown>
      {open?.act === 'bind' && <BindDialog of={null} {...dialog} />}
      {open?.act === 'edit' && <BindDialog of={open.of} {...dialog} />}
      {open?.act === 'unbind' && <UnbindDialog of={open.of} {...dialog} />}
      {open?.act === 'import' && <ImportDialog {...dialog} />}
    </Page>
  )
}

function FilterFields({ filter, connectors }: { filter: Filter; connectors: readonly ConnectorView[] }) {
  const words = useSenderWords()
  const [search, setSearch] = useState(filter.search)
  const show = (change: Partial<Filter>) => {
    const asked = Object.entries({ ...filter, ...change }).filter(([, value]) => value !== '')
    const query = new URLSearchParams(asked)
    go(query.size === 0 ? hrefTo('senders') : `${hrefTo('senders')}?${query}`, { replace: true })
  }
  useEffect(() => {
    if (search === filter.search) return
    // Not at every letter.
    const timer = window.setTimeout(() => show({ search }), 300)
    return () => window.clearTimeout(timer)
  }, [search])
  return (
    <search class="sender-filter" aria-label={words.filter}>
      <TextField label={words.searchLabel} kind="search" value={search} onInput={setSearch} />
      <SelectField
        label={words.connector}
        value={filter.connector}
        options={[
          ['', words.anyConnector],
          ...connectors.map(
            ({ connector, name }) => [connector, `${name} (${words.number(connector)})`] as const,
          ),
          ['0', words.noConnector],
        ]}
        onChange={(connector) => show({ connector })}
      />
      <SelectField
        label={words.origin}
        value={filter.origin}
        options={[
          ['', words.anyOrigin],
          ['api', words.atOrigin.api],
          ['file', words.atOrigin.file],
        ]}
        onChange={(origin) => show({ origin })}
      />
    </search>
  )
}

interface Pages {
  /** Where the page that is shown begins; null: at the beginning. */
  readonly after: string | null
  readonly number: number
  forward(after: string): void
  back(): void
}

/** Pages are asked for by the last sender of the one before, so the way back has to be remembered. */
function usePages(filter: string): Pages {
  const [way, setWay] = useState<{ filter: string; after: readonly string[] }>({ filter, after: [] })
  const after = way.filter === filter ? way.after : []
  return {
    after: after.at(-1) ?? null,
    number: after.length,
    forward: (next) => setWay({ filter, after: [...after, next] }),
    back: () => setWay({ filter, after: after.slice(0, -1) }),
  }
}

function Pager({
  pages,
  shown,
  total,
  next,
}: {
  pages: Pages
  shown: number
  total: number
  next: string | null
}) {
  const words = useSenderWords()
  const formats = useFormats()
  const from = pages.number * pageSize
  const all = from === 0 && next === null
  const range = words.range(formats.number(from + 1), formats.number(from + shown), formats.number(total))
  return (
    <div class="pager">
      <span role="status">{all ? words.total(formats.number(total), total === 1) : range}</span>
      {!all && (
        <>
          <Button icon="back" unable={from === 0 ? words.firstPage : null} onClick={pages.back}>
            {words.previous}
          </Button>
          <Button
            icon="chevron"
            unable={next === null ? words.lastPage : null}
            onClick={() => next !== null && pages.forward(next)}
          >
            {words.next}
          </Button>
        </>
      )}
    </div>
  )
}
