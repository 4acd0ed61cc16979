/** All send connectors, how they stand and what waits for them. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { pathOf } from '../client.ts'
import { useFormats } from '../language.ts'
import { Button, ButtonLink } from '../parts/button.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { usePolled } from '../polling.ts'
import { ConnectorState } from '../queues/connector-state.tsx'
import { messagesHref } from '../queues/places.ts'
import { queueLengthOf } from '../queues/queue-state.ts'
import { hrefTo } from '../router.ts'
import { useFrameWords } from '../words.ts'
import { spaceDraftOf } from './connector-draft.ts'
import { useConnectorWords } from './words.ts'

export function ConnectorList() {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const polled = usePolled<{ connectors: readonly ConnectorView[] }>(pathOf(['connectors']), {
    everyMs: 5000,
  })
  const columns = useColumns()
  const add = (
    <ButtonLink kind="primary" icon="add" needs="admin" href={hrefTo('connectors', 'new')}>
      {words.add}
    </ButtonLink>
  )
  return (
    <Page
      title={words.title}
      lead={words.lead}
      toolbar={
        <>
          {add}
          <Button icon="refresh" onClick={() => void polled.again()}>
            {frame.refresh}
          </Button>
        </>
      }
    >
      <Shown of={polled}>
        {({ connectors }) =>
          connectors.length === 0 ? (
            <Empty title={words.none}>
              <p>{words.noneHint}</p>
              {add}
            </Empty>
          ) : (
            <Table
              label={words.title}
              columns={columns}
              rows={connectors}
              keyOf={({ connector }) => connector}
            />
          )
        }
      </Shown>
    </Page>
  )
}

function useColumns(): readonly Column<ConnectorView>[] {
  const words = useConnectorWords()
  const formats = useFormats()
  const { columns } = words
  return [
    { title: columns.name, cell: (connector) => <Name of={connector} /> },
    { title: columns.state, cell: (connector) => <State of={connector} /> },
    {
      title: columns.smartHosts,
      cell: ({ settings }) => settings && <code>{settings.smartHosts.join(', ')}</code>,
    },
    { title: columns.addressSpaces, cell: (connector) => <Spaces of={connector} /> },
    {
      title: columns.senders,
      kind: 'number',
      cell: ({ connector, senders }) =>
        senders === 0 ? '0' : <a href={sendersHref(connector)}>{formats.number(senders)}</a>,
    },
    { title: columns.queue, kind: 'number', cell: (connector) => <QueueLength of={connector} /> },
    { title: columns.origin, cell: ({ origin }) => (origin === null ? '–' : words.atOrigin[origin]) },
  ]
}

export const sendersHref = (connector: string): string =>
  `${hrefTo('senders')}?${new URLSearchParams({ connector })}`

function Name({ of: { connector, name, settings } }: { of: ConnectorView }) {
  const words = useConnectorWords()
  if (settings === null && name === null)
    return (
      <>
        <span>{connector}</span> <span class="hint">{words.noConnector}</span>
      </>
    )
  return (
    <>
      <a href={hrefTo('connectors', connector)}>{name ?? connector}</a>{' '}
      <span class="hint nowrap">
        {words.number(connector)}
        {settings?.default ? `, ${words.defaultMark}` : ''}
      </span>
    </>
  )
}

function State({ of }: { of: ConnectorView }) {
  return (
    <>
      <ConnectorState of={of} />
      {of.lastError !== null && of.state !== 'ready' && <p class="hint connector-error">{of.lastError}</p>}
    </>
  )
}

function Spaces({ of: { settings } }: { of: ConnectorView }) {
  const words = useConnectorWords()
  if (settings === null) return '–'
  if (settings.addressSpaces.length === 0) return <span class="hint">{words.bySendersOnly}</span>
  const shown = settings.addressSpaces.map(spaceDraftOf)
  return (
    <ul class="spaces">
      {shown.slice(0, 5).map(({ domain, cost }) => (
        <li key={domain}>
          <code>{domain}</code> <span class="hint">{cost}</span>
        </li>
      ))}
      {shown.length > 5 && <li class="hint">{`+ ${shown.length - 5}`}</li>}
    </ul>
  )
}

function QueueLength({ of }: { of: ConnectorView }) {
  const formats = useFormats()
  const length = queueLengthOf(of)
  if (length === null) return '–'
  if (length === 0) return '0'
  return <a href={messagesHref({ connector: of.connector })}>{formats.number(length)}</a>
}
