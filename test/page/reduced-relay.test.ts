import { describe, expect, it } from 'vitest'
import { withoutBrowser } from './browser.ts'
import { expectSound, OperatedPage } from './operated-page.ts'

const page = OperatedPage.forThisFile({ sandbox: undefined, tracking: { enabled: false } })

const looks = [{}, { width: 400, language: 'de', colours: 'dark' }] as const

describe.skipIf(withoutBrowser !== null)('a relay without sandbox and history', () => {
  it.each(looks)('says that it runs no sandbox (%j)', async (look) => {
    const visit = await page.visit(look)
    await visit.open('#/sandbox')
    const isGerman = 'language' in look
    const said = isGerman ? 'Dieses Relay betreibt keine Sandbox' : 'This relay runs no sandbox'
    await visit.page.getByText(said).waitFor()
    await expectSound(visit)
    await visit.screenshot(isGerman ? 'sandbox-none-400-de-dark' : 'sandbox-none-1280-en-light')
  })

  it.each(looks)('says that no history is written, and that none matches (%j)', async (look) => {
    await page.mail({ from: 'unseen@example.com', to: ['unseen@example.org'] })
    const visit = await page.visit(look)
    await visit.open('#/trace')
    const isGerman = 'language' in look
    await visit.page
      .getByText(isGerman ? 'Es wird kein Verlauf geschrieben' : 'No history is written')
      .waitFor()
    await visit.page
      .getByText(isGerman ? 'Keine Nachricht im Verlauf' : 'No message in the history matches')
      .waitFor()
    expect(await visit.page.locator('.history').count()).toBe(0)
    await expectSound(visit)
    await visit.screenshot(isGerman ? 'trace-off-400-de-dark' : 'trace-off-1280-en-light')
  })
})
