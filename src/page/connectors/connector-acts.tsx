/** What can be done to a connector as a whole: enable, disable, test, change its login, delete. */
import { useState } from 'preact/hooks'
import type { ConnectorTest } from '../../admin/connectors/connector-test-view.ts'
import type { ChangedConnector, ConnectorView } from '../../admin/connectors/connector-view.ts'
import { pathOf, write } from '../client.ts'
import { Button } from '../parts/button.tsx'
import { FormDialog, useAct } from '../parts/dialog.tsx'
import { useProblemText } from '../parts/notice.tsx'
import { tell } from '../parts/told.tsx'
import { useFrameWords } from '../words.ts'
import { AuthenticationDialog } from './authentication-dialog.tsx'
import { DeleteDialog } from './delete-dialog.tsx'
import { TestDialog } from './test-dialog.tsx'
import { useConnectorWords } from './words.ts'

interface ConnectorActsProps {
  readonly of: ConnectorView
  again(): Promise<void>
  onDeleted(): void
}

export function ConnectorActs({ of, again, onDeleted }: ConnectorActsProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const text = useProblemText()
  const enabling = useAct()
  const [open, setOpen] = useState<'disable' | 'test' | 'authentication' | 'delete' | null>(null)
  const { connector, settings, origin } = of
  const name = of.name ?? words.number(connector)
  if (settings === null && origin === null) return null
  const fixed = origin === 'file' ? frame.fromFile : null
  const close = () => setOpen(null)
  const enable = async (enabled: boolean) => {
    const body = of.version === null ? {} : { version: of.version }
    const path = pathOf(['connectors', connector, enabled ? 'enable' : 'disable'])
    const { warnings } = await write<ChangedConnector>('POST', path, body)
    tell(enabled ? words.enabled(name) : words.disabled(name))
    for (const { message } of warnings) tell(message, 'warning')
    await again()
  }
  return (
    <>
      {settings?.enabled ? (
        <Button icon="pause" needs="operate" unable={fixed} onClick={() => setOpen('disable')}>
          {words.disable}
        </Button>
      ) : (
        settings && (
          <Button
            icon="play"
            needs="operate"
            unable={fixed}
            busy={enabling.busy}
            onClick={() =>
              void enabling.run(() =>
                enable(true).catch((problem) => {
                  tell(text(problem), 'bad')
                  throw problem
                }),
              )
            }
          >
            {words.enable}
          </Button>
        )
      )}
      {settings && (
        <>
          <Button icon="test" needs="operate" onClick={() => setOpen('test')}>
            {words.test}
          </Button>
          <Button icon="key" needs="admin" unable={fixed} onClick={() => setOpen('authentication')}>
            {words.changeAuthentication}
          </Button>
        </>
      )}
      <Button icon="remove" needs="admin" unable={fixed} onClick={() => setOpen('delete')}>
        {words.deleteAct}
      </Button>
      {open === 'disable' && (
        <FormDialog
          title={words.disableTitle(name)}
          submit={words.disable}
          danger
          onSubmit={async () => {
            await enable(false)
            close()
          }}
          onClose={close}
        >
          {() => <p>{words.disableHint}</p>}
        </FormDialog>
      )}
      {open === 'test' && (
        <TestDialog
          title={words.testTitle(name)}
          run={() => write<ConnectorTest>('POST', pathOf(['connectors', connector, 'test']), {})}
          onClose={close}
        />
      )}
      {open === 'authentication' && settings && (
        <AuthenticationDialog of={of} settings={settings} again={again} onClose={close} />
      )}
      {open === 'delete' && <DeleteDialog of={of} onDeleted={onDeleted} onClose={close} />}
    </>
  )
}
