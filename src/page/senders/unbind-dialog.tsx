/** Asks before a binding is removed. */
import type { SenderView } from '../../admin/senders/sender-view.ts'
import { pathOf, write } from '../client.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { tell } from '../parts/told.tsx'
import { useSenderWords } from './words.ts'

interface UnbindDialogProps {
  readonly of: SenderView
  again(): Promise<void>
  onClose(): void
}

export function UnbindDialog({ of: { sender, version }, again, onClose }: UnbindDialogProps) {
  const words = useSenderWords()
  const remove = async () => {
    await write('DELETE', pathOf(['senders', sender], { version }))
    tell(words.unbound(sender))
    await again()
    onClose()
  }
  return (
    <FormDialog
      title={words.unbindTitle(sender)}
      submit={words.unbind}
      danger
      onSubmit={remove}
      onClose={onClose}
    >
      {() => <p>{words.unbindHint}</p>}
    </FormDialog>
  )
}
