/** The login: the whole page where there is no session, and a dialog over what was being done where one has ended. */
import { useState } from 'preact/hooks'
import { Button } from './parts/button.tsx'
import { Dialog, useAct } from './parts/dialog.tsx'
import { TextField } from './parts/fields.tsx'
import { ProblemNotice } from './parts/notice.tsx'
import { Page } from './parts/page.tsx'
import { logIn } from './session.ts'
import { useFrameWords } from './words.ts'

export function LoginView() {
  const words = useFrameWords()
  return (
    <div class="login">
      <Page title={words.logIn}>
        <LoginForm />
      </Page>
    </div>
  )
}

export function LoginDialog() {
  const words = useFrameWords()
  return (
    <Dialog title={words.logInAgain} onClose={null}>
      <p>{words.loggedOutHint}</p>
      <LoginForm />
    </Dialog>
  )
}

function LoginForm() {
  const words = useFrameWords()
  const [token, setToken] = useState('')
  const [missing, setMissing] = useState(false)
  const act = useAct()
  const refused = act.problem?.status === 401 || act.problem?.status === 400
  const submit = async () => {
    setMissing(token.trim() === '')
    if (token.trim() !== '') await act.run(() => logIn(token.trim()))
  }
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <ProblemNotice problem={act.problem} shownAt={refused} />
      <TextField
        label={words.token}
        kind="password"
        autocomplete="current-password"
        value={token}
        onInput={setToken}
        wrong={missing ? words.tokenMissing : refused ? words.tokenWrong : null}
        hint={
          <>
            {words.logInHint} <code>relay token new</code> {words.logInHintFile}
          </>
        }
      />
      <div class="form-foot">
        <Button type="submit" kind="primary" busy={act.busy}>
          {words.logIn}
        </Button>
      </div>
    </form>
  )
}
