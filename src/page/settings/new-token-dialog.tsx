/** Makes a token, and shows it once. */
import { useRef, useState } from 'preact/hooks'
import type { NewTokenView } from '../../admin/access/token-view.ts'
import type { Scope } from '../../setup/token.ts'
import { Problem, pathOf, write } from '../client.ts'
import { Button } from '../parts/button.tsx'
import { Dialog, FormDialog } from '../parts/dialog.tsx'
import { ChoiceField, TextField } from '../parts/fields.tsx'
import { Notice } from '../parts/notice.tsx'
import { tell } from '../parts/told.tsx'
import { useFrameWords } from '../words.ts'
import { useSettingsWords } from './words.ts'

interface NewTokenDialogProps {
  again(): Promise<void>
  onClose(): void
}

const scopes = ['read', 'operate', 'admin'] as const

export function NewTokenDialog({ again, onClose }: NewTokenDialogProps) {
  const words = useSettingsWords()
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Scope>('read')
  const [until, setUntil] = useState('')
  const [made, setMade] = useState<NewTokenView | null>(null)
  const make = async () => {
    const wrong = (text: string, field: string) => new Problem(text, { status: 400, field })
    if (name.trim() === '') throw wrong(words.nameMissing, 'name')
    // The end of that day, here.
    const expiresAt = until === '' ? null : new Date(`${until}T23:59:59`).getTime()
    if (expiresAt !== null && !(expiresAt > Date.now())) throw wrong(words.expiresPast, 'expiresAt')
    setMade(
      await write<NewTokenView>('POST', pathOf(['tokens']), {
        name: name.trim(),
        scopes: [scope],
        expiresAt,
      }),
    )
    await again()
  }
  if (made !== null) return <MadeDialog of={made} onClose={onClose} />
  return (
    <FormDialog
      title={words.newToken}
      submit={words.make}
      onSubmit={make}
      onClose={onClose}
      shownAt={({ field }) => field === 'name' || field === 'expiresAt'}
    >
      {(problem) => (
        <>
          <TextField
            label={words.name}
            hint={words.nameHint}
            value={name}
            onInput={setName}
            wrong={problem?.field === 'name' ? problem.message : null}
          />
          <ChoiceField<Scope>
            label={words.scope}
            value={scope}
            options={scopes.map((value) => {
              const [label, hint] = words.scopes[value]
              return { value, label: label!, hint }
            })}
            onChange={setScope}
          />
          <TextField
            label={words.expires}
            hint={words.expiresHint}
            kind="date"
            optional
            narrow
            value={until}
            onInput={setUntil}
            wrong={problem?.field === 'expiresAt' ? problem.message : null}
          />
        </>
      )}
    </FormDialog>
  )
}

function MadeDialog({ of: { name, token }, onClose }: { of: NewTokenView; onClose(): void }) {
  const words = useSettingsWords()
  const frame = useFrameWords()
  const shown = useRef<HTMLElement>(null)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(token)
      tell(frame.copied)
    } catch {
      // Without TLS a browser may not let us: then whoever sees it does it.
      if (shown.current) getSelection()?.selectAllChildren(shown.current)
      tell(words.copyFailed, 'warning')
    }
  }
  return (
    <Dialog title={words.madeTitle(name)} onClose={onClose}>
      <Notice tone="warning">{words.madeHint}</Notice>
      <code ref={shown} class="new-token">
        {token}
      </code>
      <div class="dialog-foot">
        <Button kind="primary" icon="copy" first onClick={() => void copy()}>
          {frame.copy}
        </Button>
        <Button onClick={onClose}>{frame.close}</Button>
      </div>
    </Dialog>
  )
}
