/** Binds a sender to a connector, or changes the connector of one that is bound. */
import { useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { BoundSenderView, SenderView } from '../../admin/senders/sender-view.ts'
import { Problem, pathOf, write } from '../client.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/fields.tsx'
import { tell } from '../parts/told.tsx'
import { useFrameWords } from '../words.ts'
import { isSender } from './import-preview.ts'
import { useSenderWords } from './words.ts'

interface BindDialogProps {
  /** Null: a new one. */
  readonly of: SenderView | null
  readonly connectors: readonly ConnectorView[]
  again(): Promise<void>
  onClose(): void
}

export function BindDialog({ of, connectors, again, onClose }: BindDialogProps) {
  const words = useSenderWords()
  const frame = useFrameWords()
  const [sender, setSender] = useState(of?.sender ?? '')
  const [connector, setConnector] = useState(of === null ? '' : (of.connector ?? '0'))
  const save = async () => {
    const wrong = (text: string, field: string) => new Problem(text, { status: 400, field })
    if (!isSender(sender)) throw wrong(words.senderWrong, 'sender')
    if (connector === '') throw wrong(words.choose, 'connector')
    const body = { connector, ...(of?.version != null && { version: of.version }) }
    const bound = await write<BoundSenderView>('PUT', pathOf(['senders', sender.trim()]), body)
    tell(words.bound(bound.sender))
    for (const { message } of bound.warnings) tell(message, 'warning')
    await again()
    onClose()
  }
  return (
    <FormDialog
      title={of === null ? words.bindTitle : words.editTitle(of.sender)}
      submit={frame.save}
      onSubmit={save}
      onClose={onClose}
      shownAt={({ field }) => field === 'sender' || field === 'connector'}
    >
      {(problem) => (
        <>
          {of === null && (
            <TextField
              label={words.sender}
              hint={words.senderHint}
              value={sender}
              code
              onInput={setSender}
              wrong={problem?.field === 'sender' ? problem.message : null}
            />
          )}
          <SelectField
            label={words.connector}
            value={connector}
            options={[
              ['', '–'],
              ...connectors.map(({ connector: id, name }) => [id, `${name} (${words.number(id)})`] as const),
              ['0', `${words.noConnector}: ${words.noConnectorHint}`],
            ]}
            onChange={setConnector}
            wrong={problem?.field === 'connector' ? problem.message : null}
          />
        </>
      )}
    </FormDialog>
  )
}
