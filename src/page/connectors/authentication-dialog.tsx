/** Changes how a connector logs in, as a whole: OVHcloud's changeAuthentication. */
import { useState } from 'preact/hooks'
import type {
  ChangedConnector,
  ConnectorSettingsView,
  ConnectorView,
} from '../../admin/connectors/connector-view.ts'
import { Problem, pathOf, write } from '../client.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { tell } from '../parts/told.tsx'
import { useFrameWords } from '../words.ts'
import { AuthenticationFields } from './authentication-fields.tsx'
import { draftOf, mechanismOf } from './connector-draft.ts'
import { wrongAt } from './draft-fields.ts'
import { useConnectorWords } from './words.ts'

interface AuthenticationDialogProps {
  readonly of: ConnectorView
  readonly settings: ConnectorSettingsView
  again(): Promise<void>
  onClose(): void
}

export function AuthenticationDialog({ of, settings, again, onClose }: AuthenticationDialogProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const [draft, setDraft] = useState(() => draftOf(settings, { id: of.connector, name: of.name ?? '' }))
  // The stored password is that of the stored user.
  const keepable = settings.passwordSet && draft.user === settings.user
  const save = async () => {
    const login = draft.authentication === 'basicAuth'
    const missing = (text: string, field: string) => new Problem(text, { status: 400, field })
    if (login && draft.user === '') throw missing(words.userMissing, 'user')
    if (login && draft.password === '' && !keepable) throw missing(words.passwordMissing, 'password')
    const { warnings } = await write<ChangedConnector>(
      'PUT',
      pathOf(['connectors', of.connector, 'authentication']),
      {
        version: of.version,
        smartHostAuthMechanism: mechanismOf(draft),
        ...(login && { user: draft.user, ...(draft.password !== '' && { password: draft.password }) }),
      },
    )
    tell(words.authenticationChanged)
    for (const { message } of warnings) tell(message, 'warning')
    await again()
    onClose()
  }
  return (
    <FormDialog
      title={words.changeAuthentication}
      submit={frame.save}
      onSubmit={save}
      onClose={onClose}
      shownAt={({ field }) => field === 'user' || field === 'password' || field === 'smartHostAuthMechanism'}
    >
      {(problem) => (
        <AuthenticationFields
          draft={draft}
          passwordSet={keepable}
          readOnly={false}
          change={(change) => setDraft((before) => ({ ...before, ...change }))}
          wrong={(setting) => wrongAt(problem, setting)}
        />
      )}
    </FormDialog>
  )
}
