/** The smart hosts of a connector. */
import { useState } from 'preact/hooks'
import { Problem } from '../client.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/fields.tsx'
import { useFrameWords } from '../words.ts'
import { isSmartHost } from './connector-draft.ts'
import { type DraftFieldsProps, wrongAt } from './draft-fields.ts'
import { ListEditor } from './list-editor.tsx'
import { useConnectorWords } from './words.ts'

export function SmartHostsField({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  const [edited, edit] = useState<number | 'new' | null>(null)
  const { smartHosts } = draft
  return (
    <>
      <ListEditor
        label={words.smartHosts}
        hint={words.smartHostsHint}
        entries={smartHosts.map((host) => ({ name: host, shown: <code>{host}</code> }))}
        none="–"
        wrong={wrong('smartHosts')}
        readOnly={readOnly}
        addLabel={words.addSmartHost}
        onAdd={() => edit('new')}
        onEdit={edit}
        onRemove={(index) => change({ smartHosts: smartHosts.filter((_, each) => each !== index) })}
      />
      {edited !== null && (
        <SmartHostDialog
          of={edited === 'new' ? '' : smartHosts[edited]!}
          others={smartHosts.filter((_, index) => index !== edited)}
          title={edited === 'new' ? words.addSmartHost : words.editSmartHost}
          onSave={(host) => {
            change({
              smartHosts: edited === 'new' ? [...smartHosts, host] : smartHosts.with(edited, host),
            })
            edit(null)
          }}
          onClose={() => edit(null)}
        />
      )}
    </>
  )
}

interface SmartHostDialogProps {
  readonly of: string
  readonly others: readonly string[]
  readonly title: string
  onSave(host: string): void
  onClose(): void
}

function SmartHostDialog({ of, others, title, onSave, onClose }: SmartHostDialogProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const [host, setHost] = useState(of)
  const save = () => {
    const given = host.trim()
    if (!isSmartHost(given)) throw new Problem(words.smartHostWrong, { status: 400, field: 'smartHost' })
    if (others.includes(given)) throw new Problem(words.smartHostTwice, { status: 400, field: 'smartHost' })
    onSave(given)
  }
  return (
    <FormDialog title={title} submit={frame.save} onSubmit={save} onClose={onClose} shownAt={() => true}>
      {(problem) => (
        <TextField
          label={words.smartHost}
          hint={words.smartHostHint}
          value={host}
          code
          onInput={setHost}
          wrong={wrongAt(problem, 'smartHost')}
        />
      )}
    </FormDialog>
  )
}
