/** What the relay is, and the tokens of its API. */
import { Page } from '../parts/page.tsx'
import { useMay } from '../session.ts'
import type { ViewProps } from '../view.ts'
import { useFrameWords } from '../words.ts'
import { About } from './about.tsx'
import './settings.css'
import { Tokens, TokensUnseen } from './tokens.tsx'
import { useSettingsWords } from './words.ts'

export function SettingsView(_props: ViewProps) {
  const words = useSettingsWords()
  const frame = useFrameWords()
  return (
    <Page title={frame.views.settings} lead={words.lead}>
      <About />
      {useMay('admin') ? <Tokens /> : <TokensUnseen />}
    </Page>
  )
}
