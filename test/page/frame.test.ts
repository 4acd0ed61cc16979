import { describe, expect, it } from 'vitest'
import { withoutBrowser } from './browser.ts'
import { expectSound, OperatedPage } from './operated-page.ts'

const page = OperatedPage.forThisFile()

const everyView = [
  'overview',
  'connectors',
  'senders',
  'rules',
  'queues',
  'trace',
  'explain',
  'sandbox',
  'settings',
]

describe.skipIf(withoutBrowser !== null)('the frame', () => {
  it('asks for a token, says when it is wrong, and shows what was asked for afterwards', async () => {
    const visit = await page.stranger()
    await visit.page.goto('/#/senders')
    const token = visit.page.getByLabel('Token')
    await visit.page.keyboard.press('Tab')
    await token.fill('relay_wrong')
    await visit.page.keyboard.press('Enter')
    await visit.page.getByText('not valid here').waitFor()
    expect(await token.getAttribute('aria-invalid')).toBe('true')
    await visit.screenshot('login-refused')
    await expectSound(visit)
    await visit.logIn(page.token)
    await visit.page.getByRole('heading', { name: 'Senders', level: 1 }).waitFor()
  })

  it.each([
    { width: 1280, language: 'en', colours: 'light' },
    { width: 400, language: 'de', colours: 'dark' },
  ] as const)('shows every view, at $width in $language, $colours', async (looks) => {
    const visit = await page.visit(looks)
    for (const view of everyView) {
      await visit.open(`#/${view}`)
      await expect
        .poll(() => visit.page.locator('.skeleton, .skeleton-room').count(), { timeout: 10_000 })
        .toBe(0)
      await visit.screenshot(`view-${view}-${looks.width}-${looks.language}-${looks.colours}`)
      await expectSound(visit)
    }
    expect(await visit.page.locator('html').getAttribute('lang')).toBe(looks.language)
  })

  it('asks to log in again when the session has ended, and goes on where that was', async () => {
    const visit = await page.visit()
    await visit.open('#/connectors/new')
    await visit.page.getByLabel('Name', { exact: true }).fill('Half typed')
    await visit.page.context().clearCookies()
    await visit.page.evaluate(() => {
      location.hash = '#/senders'
    })
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByText('The session has ended').waitFor()
    await visit.page.keyboard.press('Escape')
    expect(await dialog.isVisible()).toBe(true)
    await visit.screenshot('session-ended')
    await dialog.getByLabel('Token').fill(page.token)
    await visit.page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    await visit.page.getByText('No sender is bound').waitFor()
    await expectSound(visit)
  })

  it('keeps a form over the end of its session', async () => {
    const visit = await page.visit()
    await visit.open('#/senders')
    await visit.page.getByRole('button', { name: 'Bind sender' }).click()
    await visit.page.getByLabel('Sender', { exact: true }).fill('kept@example.com')
    await visit.page.locator('dialog').getByLabel('Connector').selectOption('29')
    await visit.page.context().clearCookies()
    await visit.page.keyboard.press('Enter')
    await visit.page.getByLabel('Token').fill(page.token)
    await visit.page.keyboard.press('Enter')
    await visit.page.getByText('The session has ended').waitFor({ state: 'detached' })
    expect(await visit.page.getByLabel('Sender', { exact: true }).inputValue()).toBe('kept@example.com')
    await visit.page.getByRole('button', { name: 'Save' }).click()
    await visit.page.getByText('kept@example.com is bound').waitFor()
    await page.ask('/senders/kept@example.com', { method: 'DELETE' })
    await expectSound(visit)
  })

  it('shows what a token may not do, with the reason', async () => {
    const { token } = await page.ask<{ token: string }>('/tokens', {
      method: 'POST',
      body: { name: 'Watcher', scopes: ['read'] },
    })
    const visit = await page.visit({}, token)
    await visit.open('#/connectors/29')
    const test = visit.page.getByRole('button', { name: 'Test' })
    expect(await test.getAttribute('aria-disabled')).toBe('true')
    await test.focus()
    await visit.page.keyboard.press('Enter')
    expect(await visit.page.getByRole('dialog').count()).toBe(0)
    expect(await test.textContent()).toContain('Needs a token with the scope operate or admin.')
    await visit.open('#/settings')
    await visit.page.getByText('Tokens are shown to administrators only.').waitFor()
    await visit.screenshot('scope-read')
    await expectSound(visit)
  })

  it('logs out', async () => {
    const visit = await page.visit()
    await visit.page.getByRole('button', { name: 'Log out' }).click()
    await visit.page.getByLabel('Token').waitFor()
    expect(await visit.page.locator('#navigation').count()).toBe(0)
    await visit.page.reload()
    await visit.page.getByLabel('Token').waitFor()
  })

  it('remembers language and colours', async () => {
    const visit = await page.visit()
    await visit.page.getByLabel('Language').selectOption('de')
    await visit.page.getByLabel('Farben').selectOption('dark')
    await visit.page.reload()
    await visit.page.getByRole('link', { name: 'Sendeconnectors' }).waitFor()
    const ground = () => visit.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    expect(await ground()).toBe('rgb(20, 20, 20)')
    await visit.page.getByLabel('Farben').selectOption('light')
    expect(await ground()).toBe('rgb(245, 245, 245)')
    await expectSound(visit)
  })

  it('opens its navigation from a menu where there is little room, and closes it on Escape', async () => {
    const visit = await page.visit({ width: 400 })
    const menu = visit.page.getByRole('button', { name: 'Menu' })
    const link = visit.page.getByRole('link', { name: 'Rules' })
    expect(await link.isVisible()).toBe(false)
    await menu.press('Enter')
    await link.focus()
    await visit.screenshot('menu-400')
    await visit.page.keyboard.press('Escape')
    await link.waitFor({ state: 'hidden' })
    expect(await menu.evaluate((element) => element === document.activeElement)).toBe(true)
    await menu.press('Enter')
    await link.press('Enter')
    await visit.page.getByRole('heading', { name: 'Rules', level: 1 }).waitFor()
    await link.waitFor({ state: 'hidden' })
    await expectSound(visit)
  })

  it('has a first stop that leads past the navigation', async () => {
    const visit = await page.visit()
    await visit.page.reload()
    await visit.page.locator('#navigation').waitFor()
    await visit.page.keyboard.press('Tab')
    await visit.page.keyboard.press('Enter')
    expect(await visit.page.evaluate(() => document.activeElement?.id)).toBe('content')
  })

  it('says that a view does not exist', async () => {
    const visit = await page.visit()
    await visit.open('#/nowhere')
    await visit.page.getByRole('heading', { name: 'There is no such page' }).waitFor()
    await expectSound(visit)
  })
})

describe.skipIf(withoutBrowser !== null)('a relay that is away', () => {
  const mortal = OperatedPage.forThisFile()

  it('is missed aloud, and found again', async () => {
    const visit = await mortal.visit()
    await visit.open('#/connectors')
    await visit.page.getByRole('link', { name: 'Newsletter provider' }).waitFor()
    await visit.page.route('**/connectors', (route) => route.abort('connectionrefused'))
    await visit.page.getByRole('button', { name: 'Refresh' }).click()
    await visit.page.getByText('The relay does not answer. Trying again').waitFor()
    await visit.page.getByText('Not up to date').waitFor()
    expect(await visit.page.getByRole('link', { name: 'Newsletter provider' }).isVisible()).toBe(true)
    await visit.screenshot('relay-away')
    await visit.page.unroute('**/connectors')
    await visit.page.getByRole('main').getByRole('button', { name: 'Try again' }).click()
    await visit.page.getByText('The relay does not answer').waitFor({ state: 'detached' })
  })
})
