import { describe, expect, it } from 'vitest'
import { type Visit, withoutBrowser } from './browser.ts'
import { expectSound, OperatedPage } from './operated-page.ts'

const page = OperatedPage.forThisFile()

interface Listed {
  readonly connector: string
  readonly name: string
  readonly state: string
  readonly version: number
  readonly senders: number
  readonly settings: { readonly [name: string]: unknown }
}

async function connectorNamed(name: string): Promise<Listed> {
  const { connectors } = await page.ask<{ connectors: Listed[] }>('/connectors')
  return connectors.find((connector) => connector.name === name)!
}

/** By the API, as what is tested is what comes after. */
async function made(name: string, change: Record<string, unknown> = {}): Promise<Listed> {
  const body = {
    name,
    smartHosts: ['127.0.0.1'],
    port: page.sandboxPort,
    addressSpaces: [`${name.toLowerCase()}.example.org`],
    requireTLS: true,
    tlsAuthLevel: 'encryptionOnly',
    ...change,
  }
  const { connector } = await page.ask<{ connector: Listed }>('/connectors', { method: 'POST', body })
  return connector
}

/** Tab by tab to what has this name, and no further than a page is long. */
async function tabTo({ page: { keyboard }, page: tab }: Visit, name: string | RegExp): Promise<void> {
  for (let steps = 0; steps < 60; steps++) {
    await keyboard.press('Tab')
    const focused = await tab.evaluate(() => {
      const element = document.activeElement as HTMLInputElement | null
      const label = element?.labels?.[0]?.textContent ?? element?.textContent ?? ''
      return label.trim()
    })
    if (typeof name === 'string' ? focused === name : name.test(focused)) return
  }
  throw new Error(`Nothing named ${name} is reached by Tab`)
}

describe.skipIf(withoutBrowser !== null)('the wizard', () => {
  it('makes a connector by keyboard alone, and tries it before', async () => {
    const visit = await page.visit()
    const { keyboard } = visit.page
    await visit.open('#/connectors')
    await tabTo(visit, 'New send connector')
    await keyboard.press('Enter')
    await tabTo(visit, 'Name')
    await keyboard.type('By keyboard')
    await visit.screenshot('wizard-1-type')
    await keyboard.press('Enter')

    await visit.page.getByRole('heading', { name: 'Smart hosts', level: 2 }).waitFor()
    await tabTo(visit, 'Add smart host')
    await keyboard.press('Enter')
    await keyboard.type('127.0.0.1')
    await visit.screenshot('wizard-2-dialog')
    await keyboard.press('Enter')
    expect(await visit.page.getByRole('dialog').count()).toBe(0)
    await visit.screenshot('wizard-2-hosts')
    await tabTo(visit, 'Next')
    await keyboard.press('Enter')

    await visit.page.getByRole('heading', { name: 'Authentication', level: 2 }).waitFor()
    await tabTo(visit, 'None')
    await keyboard.press('ArrowDown')
    await tabTo(visit, 'User name')
    await keyboard.type('sandbox')
    await tabTo(visit, 'Password')
    await keyboard.type('sandbox')
    await visit.screenshot('wizard-3-authentication')
    await keyboard.press('Enter')

    await visit.page.getByRole('heading', { name: 'Address space', level: 2 }).waitFor()
    await tabTo(visit, 'Add domain')
    await keyboard.press('Enter')
    await keyboard.type('keyboard.example.org')
    await tabTo(visit, 'Cost')
    await keyboard.type('10')
    await keyboard.press('Enter')
    await visit.screenshot('wizard-4-spaces')
    await tabTo(visit, 'Next')
    await keyboard.press('Enter')

    await visit.page.getByRole('heading', { name: 'Connection and TLS', level: 2 }).waitFor()
    expect(await visit.page.getByLabel('Port').inputValue()).toBe('587')
    await tabTo(visit, 'Port')
    await keyboard.type(String(page.sandboxPort))
    await tabTo(visit, 'Domain validation')
    await keyboard.press('ArrowUp')
    await keyboard.press('ArrowUp')
    await visit.screenshot('wizard-5-security')
    await tabTo(visit, 'Next')
    await keyboard.press('Enter')

    await visit.page.getByRole('heading', { name: 'Size and limits', level: 2 }).waitFor()
    await tabTo(visit, 'Messages per hour')
    await keyboard.type('500')
    await visit.screenshot('wizard-6-limits')
    await keyboard.press('Enter')

    await visit.page.getByRole('heading', { name: 'Summary', level: 2 }).waitFor()
    await tabTo(visit, 'Test')
    await keyboard.press('Enter')
    await visit.page.getByText('Mail can leave by this connector.').waitFor()
    await visit.screenshot('wizard-7-summary')
    await tabTo(visit, 'Finish')
    await keyboard.press('Enter')

    await visit.page.getByRole('heading', { name: 'By keyboard', level: 1 }).waitFor()
    await visit.page.getByText('By keyboard is created').waitFor()
    await visit.screenshot('connector-status')
    expect((await connectorNamed('By keyboard')).settings).toMatchObject({
      smartHosts: ['127.0.0.1'],
      port: page.sandboxPort,
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'sandbox',
      passwordSet: true,
      addressSpaces: ['SMTP:keyboard.example.org;10'],
      tlsAuthLevel: 'encryptionOnly',
      requireTLS: true,
      maxSendSize: 35 * 1024 ** 2,
      limits: { connections: 20, messagesPerHour: 500, messagesPerDay: null },
    })
    await expectSound(visit)
  })

  it('says at its field that an address space, its cost or a smart host is none', async () => {
    const visit = await page.visit({ width: 400, language: 'de', colours: 'dark' })
    await visit.open('#/connectors/new')
    const next = visit.page.getByRole('button', { name: 'Weiter' })
    await next.click()
    await visit.page.getByText('Bitte geben Sie einen Namen ein.').waitFor()
    await visit.page.getByLabel('Name', { exact: true }).fill('Anbieter')
    await next.click()
    await visit.page.getByRole('button', { name: 'Smarthost hinzufügen' }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByRole('textbox').fill('smtp.example.com:25')
    await visit.page.keyboard.press('Enter')
    await dialog.getByText('Bitte geben Sie eine IP-Adresse oder einen Hostnamen ein, ohne Port.').waitFor()
    await dialog.getByRole('textbox').fill('smtp.example.com')
    await visit.page.keyboard.press('Enter')
    await next.click()
    await next.click()

    await visit.page.getByRole('button', { name: 'Domäne hinzufügen' }).click()
    const domain = dialog.getByLabel('Vollqualifizierter Domänenname (FQDN)')
    await domain.fill('*example.org')
    await visit.page.keyboard.press('Enter')
    await dialog.getByText('Ein Platzhalter steht für ganze Teile des Namens: *.example.org').waitFor()
    expect(await domain.getAttribute('aria-invalid')).toBe('true')
    await visit.screenshot('wizard-wrong-space-400')
    await domain.fill('*.example.org')
    await dialog.getByLabel('Kosten').fill('101')
    await visit.page.keyboard.press('Enter')
    await dialog.getByText('Bitte geben Sie Kosten von 1 bis 100 ein.').waitFor()
    await expectSound(visit)
    await visit.page.keyboard.press('Escape')
    expect(await dialog.count()).toBe(0)
    const adds = visit.page.getByRole('button', { name: 'Domäne hinzufügen' })
    expect(await adds.evaluate((button) => button === document.activeElement)).toBe(true)
  })

  it('leads a refusal of the relay back to its field, and keeps what was typed', async () => {
    const visit = await page.visit()
    await visit.open('#/connectors/new')
    const next = visit.page.getByRole('button', { name: 'Next' })
    await visit.page.getByLabel('Name', { exact: true }).fill('Customers')
    await next.click()
    await visit.page.getByRole('button', { name: 'Add smart host' }).click()
    await visit.page.keyboard.type('smtp.example.com')
    await visit.page.keyboard.press('Enter')
    for (let step = 0; step < 5; step++) await next.click()
    await visit.page.getByRole('button', { name: 'Finish' }).click()
    await visit.page.getByText('must be another: the connector 30 has this name', { exact: false }).waitFor()
    const name = visit.page.getByLabel('Name', { exact: true })
    expect(await name.getAttribute('aria-invalid')).toBe('true')
    await visit.screenshot('wizard-refused')
    await name.fill('Other customers')
    for (let step = 0; step < 6; step++) await next.click()
    await visit.page.getByText('smtp.example.com').waitFor()
    await visit.page.getByRole('button', { name: 'Finish' }).click()
    await visit.page.getByRole('heading', { name: 'Other customers', level: 1 }).waitFor()
    await expectSound(visit)
  })

  it('goes back with the browser too, and proposes what Exchange does for a type', async () => {
    const visit = await page.visit()
    await visit.open('#/connectors/new')
    await visit.page.getByLabel('Name', { exact: true }).fill('Internet')
    await visit.page.getByLabel('Internet', { exact: true }).check()
    await visit.page.getByRole('button', { name: 'Next' }).click()
    await visit.page.goBack()
    expect(await visit.page.getByLabel('Name', { exact: true }).inputValue()).toBe('Internet')
    await visit.page.goForward()
    await visit.page.getByRole('button', { name: 'Add smart host' }).click()
    await visit.page.keyboard.type('smtp.example.com')
    await visit.page.keyboard.press('Enter')
    for (let step = 0; step < 2; step++) await visit.page.getByRole('button', { name: 'Next' }).click()
    await visit.page.getByText('SMTP, Cost 1').waitFor()
  })
})

describe.skipIf(withoutBrowser !== null)('a test of a connector', () => {
  it('shows each step with its reply, and the certificate with what is wrong with it', async () => {
    const { connector } = await made('Strict', { tlsAuthLevel: 'domainValidation' })
    const visit = await page.visit({ width: 400, language: 'de', colours: 'dark' })
    await visit.open(`#/connectors/${connector}`)
    await visit.page.getByRole('button', { name: 'Testen' }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByText('Nicht über jeden Smarthost dieses Connectors').waitFor()
    const steps = await dialog.locator('.test-steps li').allTextContents()
    expect(steps.map((step) => step.split(':', 1)[0])).toEqual([
      'Name',
      'Verbindung',
      'Begrüßung',
      'EHLO',
      'TLS',
      'Zertifikat',
    ])
    expect(steps[2]).toContain('220 ')
    expect(steps[5]).toContain('fehlgeschlagen')
    const certificate = await dialog.locator('.certificate').textContent()
    expect(certificate).toContain('CN=localhost')
    expect(certificate).toContain('DNS:localhost')
    expect(certificate).toContain('SELF_SIGNED')
    await visit.screenshot('test-400-de-dark')
    await expectSound(visit)
  })
})

describe.skipIf(withoutBrowser !== null)('the pages of a connector', () => {
  it('save what was typed, and nothing else', async () => {
    const { connector, version } = await made('Edited')
    const visit = await page.visit()
    await visit.open(`#/connectors/${connector}?page=limits`)
    const save = visit.page.getByRole('button', { name: 'Save' })
    await visit.page.getByLabel('Messages per day').fill('10000')
    await visit.page.getByText('Not saved yet').waitFor()
    await save.click()
    await visit.page.getByText('Not saved yet').waitFor({ state: 'detached' })
    await visit.open(`#/connectors/${connector}?page=scoping`)
    await visit.page.getByRole('button', { name: 'Edit: edited.example.org' }).click()
    await visit.page.keyboard.press('Control+a')
    await visit.page.keyboard.type('*.edited.example.org')
    await visit.page.keyboard.press('Enter')
    await visit.screenshot('connector-scoping')
    await save.click()
    await visit.page.getByText('Not saved yet').waitFor({ state: 'detached' })
    const edited = await connectorNamed('Edited')
    expect(edited.version).toBe(version + 2)
    expect(edited.settings).toMatchObject({
      addressSpaces: ['SMTP:*.edited.example.org;1'],
      limits: { messagesPerDay: 10_000, connections: 20 },
      port: page.sandboxPort,
    })
    for (const name of ['general', 'delivery', 'security']) {
      await visit.open(`#/connectors/${connector}?page=${name}`)
      await visit.page.getByRole('button', { name: 'Save' }).waitFor()
      await visit.screenshot(`connector-${name}`)
      await expectSound(visit)
    }
  })

  it('do not overwrite what somebody else changed meanwhile', async () => {
    const { connector, version } = await made('Shared')
    const visit = await page.visit()
    await visit.open(`#/connectors/${connector}?page=limits`)
    await visit.page.getByLabel('Messages per hour').fill('100')
    const body = { version, limits: { messagesPerMinute: 5 } }
    await page.ask(`/connectors/${connector}`, { method: 'PATCH', body })
    await visit.page.getByRole('button', { name: 'Save' }).click()
    await visit.page.getByText('Somebody else changed this meanwhile').waitFor()
    await visit.page.getByRole('button', { name: 'Discard' }).click()
    await expect.poll(() => visit.page.getByLabel('Messages per minute').inputValue()).toBe('5')
    await visit.page.getByLabel('Messages per hour').fill('100')
    await visit.page.getByRole('button', { name: 'Save' }).click()
    await visit.page.getByText('Not saved yet').waitFor({ state: 'detached' })
    expect((await connectorNamed('Shared')).settings).toMatchObject({
      limits: { messagesPerHour: 100, messagesPerMinute: 5 },
    })
    await expectSound(visit)
  })

  it('are to read only where the configuration file says what they show', async () => {
    const visit = await page.visit({ width: 400 })
    await visit.open('#/connectors/30?page=delivery')
    await visit.page.locator('.notice').getByText('Stands in the configuration file').waitFor()
    expect(await visit.page.getByLabel('Port').isDisabled()).toBe(true)
    expect(await visit.page.getByRole('button', { name: 'Save' }).count()).toBe(0)
    await visit.screenshot('connector-of-file-400')
    await expectSound(visit)
  })

  it('change the login as a whole, and never show the password', async () => {
    const { connector } = await made('Login', {
      smartHostAuthMechanism: 'basicAuth',
      user: 'somebody',
      password: 'first secret',
    })
    const visit = await page.visit()
    await visit.open(`#/connectors/${connector}`)
    await visit.page.getByRole('button', { name: 'Change authentication' }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByLabel('User name').fill('another')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByText('Please enter the password.').waitFor()
    await dialog.getByLabel('Password', { exact: true }).fill('second secret')
    await dialog.getByLabel('Offer basic authentication only after starting TLS').check()
    await visit.screenshot('authentication')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await visit.page.getByText('The authentication is changed').waitFor()
    expect((await connectorNamed('Login')).settings).toMatchObject({
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'another',
      passwordSet: true,
    })
    expect(await visit.page.content()).not.toContain('secret')
    await expectSound(visit)
  })

  it('disable and enable it', async () => {
    const { connector } = await made('Switched')
    const visit = await page.visit()
    await visit.open(`#/connectors/${connector}`)
    await visit.page.getByRole('button', { name: 'Disable' }).click()
    await visit.page.getByText('Routing no longer sees it').waitFor()
    await visit.screenshot('connector-disable')
    await visit.page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
    await visit.page.getByText('Switched is disabled').waitFor()
    expect((await connectorNamed('Switched')).state).toBe('disabled')
    await visit.page.getByRole('button', { name: 'Enable' }).click()
    await visit.page.getByText('Switched is enabled').waitFor()
    expect((await connectorNamed('Switched')).state).toBe('ready')
    await expectSound(visit)
  })

  it('delete it only when nobody needs it, and say who does', async () => {
    const { connector } = await made('Needed')
    const path = '/senders/needs@example.com'
    await page.ask(path, { method: 'PUT', body: { connector } })
    const visit = await page.visit()
    await visit.open(`#/connectors/${connector}`)
    await visit.page.getByText('Bound senders').waitFor()
    await visit.page.getByRole('button', { name: 'Delete' }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByText('needs@example.com').waitFor()
    await visit.screenshot('connector-delete-needed')
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByRole('alert').first().waitFor()
    expect(await connectorNamed('Needed')).toBeDefined()
    await visit.page.keyboard.press('Escape')
    await page.ask(path, { method: 'DELETE' })
    await visit.page.reload()
    await visit.page.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByText('No mail waits in its queue.').waitFor()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await visit.page.getByText('Needed is deleted').waitFor()
    await visit.page.getByRole('heading', { name: 'Send connectors', level: 1 }).waitFor()
    expect(await connectorNamed('Needed')).toBeUndefined()
    await expectSound(visit)
  })

  it('say that a connector is not there', async () => {
    const visit = await page.visit()
    await visit.open('#/connectors/999')
    await visit.page.getByRole('heading', { name: 'There is no connector 999' }).waitFor()
    await expectSound(visit)
  })
})
