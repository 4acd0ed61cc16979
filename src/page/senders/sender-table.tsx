/** A page of the senders. */
import type { SenderView } from '../../admin/senders/sender-view.ts'
import { useFormats } from '../language.ts'
import { Button } from '../parts/button.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { hrefTo } from '../router.ts'
import { useFrameWords } from '../words.ts'
import { useSenderWords } from './words.ts'

interface SenderTableProps {
  readonly senders: readonly SenderView[]
  onEdit(sender: SenderView): void
  onUnbind(sender: SenderView): void
}

export function SenderTable({ senders, onEdit, onUnbind }: SenderTableProps) {
  const words = useSenderWords()
  const frame = useFrameWords()
  const formats = useFormats()
  const columns: readonly Column<SenderView>[] = [
    { title: words.sender, cell: ({ sender }) => sender },
    { title: words.connector, cell: (sender) => <Bound {...sender} /> },
    { title: words.origin, cell: ({ origin }) => words.atOrigin[origin] },
    {
      title: words.changed,
      cell: ({ changedAt }) => (changedAt === null ? '–' : formats.instant(changedAt)),
    },
    {
      title: words.acts,
      kind: 'acts',
      cell: (of) => {
        const fixed = of.origin === 'file' ? frame.fromFile : null
        return (
          <>
            <Button kind="quiet" icon="edit" iconOnly needs="admin" unable={fixed} onClick={() => onEdit(of)}>
              {`${frame.edit}: ${of.sender}`}
            </Button>
            <Button
              kind="quiet"
              icon="remove"
              iconOnly
              needs="admin"
              unable={fixed}
              onClick={() => onUnbind(of)}
            >
              {`${words.unbind}: ${of.sender}`}
            </Button>
          </>
        )
      },
    },
  ]
  return <Table label={frame.views.senders} columns={columns} rows={senders} keyOf={({ sender }) => sender} />
}

function Bound({ connector, connectorName }: SenderView) {
  const words = useSenderWords()
  if (connector === null) return <span title={words.noConnectorHint}>{words.noConnector}</span>
  return (
    <>
      <a href={hrefTo('connectors', connector)}>{connectorName ?? connector}</a>{' '}
      <span class="hint">{words.number(connector)}</span>
    </>
  )
}
