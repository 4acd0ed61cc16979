/** Asks before a connector is deleted: what happens to its queue, and who still needs it. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { pathOf, write } from '../client.ts'
import { useFormats } from '../language.ts'
import { ButtonLink } from '../parts/button.tsx'
import { FormDialog } from '../parts/dialog.tsx'
import { Notice } from '../parts/notice.tsx'
import { Shown } from '../parts/shown.tsx'
import { tell } from '../parts/told.tsx'
import { usePolled } from '../polling.ts'
import { queueLengthOf } from '../queues/queue-state.ts'
import { go, hrefTo } from '../router.ts'
import { sendersHref } from './connector-list.tsx'
import { useConnectorWords } from './words.ts'

interface DeleteDialogProps {
  readonly of: ConnectorView
  onDeleted(): void
  onClose(): void
}

export function DeleteDialog({ of, onDeleted, onClose }: DeleteDialogProps) {
  const words = useConnectorWords()
  const formats = useFormats()
  const name = of.name ?? words.number(of.connector)
  const waiting = queueLengthOf(of) ?? 0
  const remove = async () => {
    onDeleted()
    const version = of.version
    await write('DELETE', pathOf(['connectors', of.connector], { version }))
    tell(words.deleted(name))
    go(hrefTo('connectors'))
  }
  return (
    <FormDialog
      title={words.deleteTitle(name)}
      submit={words.deleteAct}
      danger
      onSubmit={remove}
      onClose={onClose}
    >
      {() => (
        <>
          {of.senders > 0 && <InUse of={of} />}
          <p>
            {waiting === 0
              ? words.deleteEmpty
              : words.deleteQueue(words.messages(formats.number(waiting), waiting === 1))}
          </p>
          <p>{words.deleteHint}</p>
        </>
      )}
    </FormDialog>
  )
}

function InUse({ of: { connector, senders } }: { of: ConnectorView }) {
  const words = useConnectorWords()
  const formats = useFormats()
  const shown = 5
  const bound = usePolled<{ senders: readonly { sender: string }[] }>(
    pathOf(['senders'], { connector, limit: shown }),
  )
  return (
    <Notice tone="warning">
      <p>{words.inUse}</p>
      <Shown of={bound}>
        {(answer) => (
          <ul class="bullets">
            {answer.senders.map(({ sender }) => (
              <li key={sender}>{sender}</li>
            ))}
            {senders > shown && <li>{words.inUseMore(formats.number(senders - shown))}</li>}
          </ul>
        )}
      </Shown>
      <ButtonLink href={sendersHref(connector)}>{words.showSenders}</ButtonLink>
    </Notice>
  )
}
