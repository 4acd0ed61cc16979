/** How the relay logs in at the smart host. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { CheckField, ChoiceField, TextField } from '../parts/fields.tsx'
import { Notice } from '../parts/notice.tsx'
import type { DraftFieldsProps } from './draft-fields.ts'
import { useConnectorWords } from './words.ts'

export function AuthenticationFields({
  draft,
  change,
  wrong,
  readOnly,
  passwordSet,
}: DraftFieldsProps & { readonly passwordSet: boolean }) {
  const words = useConnectorWords()
  const [shown, show] = useState(false)
  return (
    <div class="fields">
      <ChoiceField
        label={words.authentication}
        value={draft.authentication}
        options={[
          { value: 'none', label: words.authenticationOf.none, hint: words.authenticationNone },
          { value: 'basicAuth', label: words.authenticationOf.basicAuth },
        ]}
        disabled={readOnly}
        wrong={wrong('smartHostAuthMechanism')}
        onChange={(authentication) => change({ authentication })}
      />
      {draft.authentication === 'basicAuth' && (
        <div class="fields inset">
          <CheckField
            label={words.onlyAfterTls}
            hint={words.onlyAfterTlsHint}
            checked={draft.onlyAfterTls}
            disabled={readOnly}
            onChange={(onlyAfterTls) => change({ onlyAfterTls })}
          />
          {!draft.onlyAfterTls && draft.tls === 'starttls' && !draft.requireTLS && (
            <Notice tone="warning">{words.inClear}</Notice>
          )}
          <TextField
            label={words.user}
            value={draft.user}
            disabled={readOnly}
            wrong={wrong('user')}
            code
            onInput={(user) => change({ user })}
          />
          <TextField
            label={words.password}
            kind={shown ? 'text' : 'password'}
            value={draft.password}
            disabled={readOnly}
            wrong={wrong('password')}
            hint={passwordSet ? words.passwordKept : undefined}
            autocomplete="new-password"
            code
            onInput={(password) => change({ password })}
          />
          {!readOnly && (
            <div>
              <Button kind="quiet" pressed={shown} onClick={() => show(!shown)}>
                {shown ? words.hidePassword : words.showPassword}
              </Button>
            </div>
          )}
        </div>
      )}
    </div>
  )
}
