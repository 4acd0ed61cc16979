import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { withoutBrowser } from './browser.ts'
import { expectSound, OperatedPage } from './operated-page.ts'

const page = OperatedPage.forThisFile({
  senders: [{ address: 'boss@example.com', connector: 29 }],
  policy: {
    rules: [
      {
        name: 'From the file',
        conditions: { attachmentTypeIs: ['executable'], messageSizeOver: '20KB' },
        exceptions: { senderIs: ['boss@example.com'] },
        actions: { reject: { text: 'No programs, please' } },
      },
    ],
  },
})

interface Bound {
  readonly senders: readonly { readonly sender: string; readonly connector: string | null }[]
  readonly total: number
}

const bindings = async (): Promise<Record<string, string | null>> => {
  const { senders } = await page.ask<Bound>('/senders?origin=api')
  return Object.fromEntries(senders.map(({ sender, connector }) => [sender, connector]))
}

const ruleNames = async (): Promise<string[]> =>
  (await page.ask<{ rules: { name: string }[] }>('/rules')).rules.map(({ name }) => name)

describe.skipIf(withoutBrowser !== null)('the senders', () => {
  it('are bound, changed and unbound', async () => {
    const visit = await page.visit()
    await visit.open('#/senders')
    await visit.page.getByRole('button', { name: 'Bind sender' }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByLabel('Sender', { exact: true }).fill('nobody')
    await dialog.getByLabel('Connector').selectOption('30')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByText('Please enter an address such as user@example.com').waitFor()
    await visit.screenshot('senders-bind')
    await dialog.getByLabel('Sender', { exact: true }).fill('@example.net')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await visit.page.getByText('@example.net is bound').waitFor()
    expect(await bindings()).toEqual({ '@example.net': '30' })
    await visit.page.getByRole('button', { name: 'Edit: @example.net' }).click()
    await dialog.getByLabel('Connector').selectOption('0')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    expect(await bindings()).toEqual({ '@example.net': null })
    const fixed = visit.page.getByRole('button', { name: 'Unbind: boss@example.com' })
    expect(await fixed.getAttribute('aria-disabled')).toBe('true')
    await visit.page.getByRole('button', { name: 'Unbind: @example.net' }).click()
    await dialog.getByRole('button', { name: 'Unbind' }).click()
    await visit.page.getByText('@example.net is unbound').waitFor()
    expect(await bindings()).toEqual({})
    await expectSound(visit)
  })

  it('are imported whole or not at all, looked through before', async () => {
    const visit = await page.visit({ width: 400, language: 'de' })
    await visit.open('#/senders')
    await visit.page.getByRole('button', { name: 'Importieren' }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByLabel('CSV-Datei').setInputFiles({
      name: 'absender.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('\uFEFFsender;connector\r\na@example.com;29\r\nniemand;29\r\nb@example.com;77\r\n'),
    })
    await dialog.getByText('Zeile 3: das ist kein Absender').waitFor()
    await dialog.getByText('Zeile 4: es gibt keinen Connector 77').waitFor()
    await visit.screenshot('senders-import-400-de')
    const act = dialog.getByRole('button', { name: 'Importieren' })
    await act.click()
    await dialog.getByText('Importiert wird alles oder nichts').waitFor()
    expect(await bindings()).toEqual({})
    await dialog.getByLabel('Oder Zeilen hier einfügen').fill('a@example.com,29\nb@example.com,30')
    await dialog.getByText('Lesbare Bindungen: 2.').waitFor()
    await act.click()
    await visit.page.getByText('Importiert: 2 neu, 0 geändert, 0 unverändert, 0 entfernt.').waitFor()
    expect(await bindings()).toEqual({ 'a@example.com': '29', 'b@example.com': '30' })
    await visit.page.getByRole('button', { name: 'Importieren' }).click()
    await dialog.getByLabel('Oder Zeilen hier einfügen').fill('b@example.com,29')
    await dialog.getByLabel('Alle hier angelegten Bindungen ersetzen').check()
    await dialog.getByText('wird entfernt').waitFor()
    await act.click()
    await visit.page.getByText('Importiert: 0 neu, 1 geändert, 0 unverändert, 1 entfernt.').waitFor()
    expect(await bindings()).toEqual({ 'b@example.com': '29' })
    await expectSound(visit)
  })

  it('are searched, filtered, paged and exported', async () => {
    const senders = Array.from({ length: 230 }, (_, index) => ({
      sender: `user${String(index).padStart(3, '0')}@example.org`,
      connector: index % 2 === 0 ? '29' : '30',
    }))
    await page.ask('/senders/import', { method: 'POST', body: { senders, replace: true } })
    const visit = await page.visit()
    await visit.open('#/senders?connector=30')
    await visit.page.getByText('1 to 100 of 115').waitFor()
    await visit.page.getByRole('button', { name: 'Next page' }).click()
    await visit.page.getByText('101 to 115 of 115').waitFor()
    await visit.page.getByRole('button', { name: 'Previous page' }).click()
    await visit.page.getByText('1 to 100 of 115').waitFor()
    await visit.page.getByLabel('Sender contains').fill('user22')
    await visit.page.getByText('5 senders').waitFor()
    expect(visit.page.url()).toContain('search=user22')
    await visit.screenshot('senders-1280')
    const [download] = await Promise.all([
      visit.page.waitForEvent('download'),
      visit.page.getByRole('link', { name: 'Export (CSV)' }).click(),
    ])
    const text = await readFile(await download.path(), 'utf8')
    expect(text.trim().split(/\r?\n/)).toHaveLength(6)
    expect(text).toContain('user221@example.org,30')
    await expectSound(visit)
  })
})

describe.skipIf(withoutBrowser !== null)('the rules', () => {
  it('are read as sentences, the file’s first', async () => {
    const visit = await page.visit({ language: 'de' })
    await visit.open('#/rules')
    const rule = visit.page.getByRole('listitem').filter({ hasText: 'From the file' })
    const text = (await rule.textContent())!.replace(/\s+/g, ' ')
    expect(text).toContain('der Inhalt einer Anlage ist executable')
    expect(text).toContain('die Nachrichtengröße ist größer als oder gleich 20 kB')
    expect(text).toContain('der Absender ist boss@example.com')
    expect(text).toContain('No programs, please')
    expect(await rule.getByRole('button').count()).toBe(0)
    await expectSound(visit)
  })

  it('are added from a template, refused with the field at fault, moved, switched and deleted', async () => {
    const visit = await page.visit()
    await visit.open('#/rules')
    const dialog = visit.page.getByRole('dialog')
    const text = dialog.getByLabel('Rule (JSON)')
    const save = dialog.getByRole('button', { name: 'Save' })
    await visit.page.getByRole('button', { name: 'New rule' }).click()
    await dialog.getByLabel('Template').selectOption('tls')
    await save.click()
    await visit.page.getByText('TLS to a partner is added').waitFor()

    await visit.page.getByRole('button', { name: 'New rule' }).click()
    await text.fill('{ "name": ')
    await save.click()
    await dialog.getByText('This is no JSON').waitFor()
    await text.fill(
      '{ "name": "Second", "conditions": { "senderIs": ["nobody"] }, "actions": { "drop": true } }',
    )
    await save.click()
    await dialog.getByText('conditions.senderIs.0').waitFor()
    expect(await text.getAttribute('aria-invalid')).toBe('true')
    await visit.screenshot('rule-refused')
    await text.fill(
      '{ "name": "Second", "conditions": { "senderIs": ["news@example.com"] }, "actions": { "drop": true } }',
    )
    await save.click()
    await visit.page.getByText('Second is added').waitFor()
    expect(await ruleNames()).toEqual(['From the file', 'TLS to a partner', 'Second'])

    await visit.page.getByRole('button', { name: 'Move up: Second' }).click()
    await visit.page.getByText('Second is now number 1').waitFor()
    expect(await ruleNames()).toEqual(['From the file', 'Second', 'TLS to a partner'])
    await visit.page.getByLabel('Mode of Second').selectOption('test')
    await visit.page.getByText('Second: Test').waitFor()
    await visit.screenshot('rules-1280')

    await visit.page.getByRole('button', { name: 'Edit: Second' }).click()
    expect(JSON.parse(await text.inputValue())).toEqual({
      name: 'Second',
      mode: 'test',
      conditions: { senderIs: ['news@example.com'] },
      actions: { drop: true },
    })
    await visit.page.keyboard.press('Escape')
    await visit.page.getByRole('button', { name: 'Delete: Second' }).click()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await visit.page.getByText('Second is deleted').waitFor()
    expect(await ruleNames()).toEqual(['From the file', 'TLS to a partner'])
    await expectSound(visit)
  })
})

describe.skipIf(withoutBrowser !== null)('the settings', () => {
  it('make a token that is shown once, works, and is refused when it is removed', async () => {
    const visit = await page.visit()
    await visit.open('#/settings')
    await visit.page.getByText('relay.example.com', { exact: true }).waitFor()
    await visit.page.getByRole('button', { name: 'New token' }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Make token' }).click()
    await dialog.getByText('Please give it a name.').waitFor()
    await dialog.getByLabel('Name', { exact: true }).fill('Monitoring')
    await dialog.getByLabel('Operate').check()
    await visit.screenshot('token-new')
    await dialog.getByRole('button', { name: 'Make token' }).click()
    const token = (await dialog.locator('code').textContent())!
    await visit.screenshot('token-made')
    await visit.page.keyboard.press('Escape')
    expect(await visit.page.content()).not.toContain(token)

    const other = await page.visit({}, token)
    await other.page.getByText('Operator').waitFor()
    await visit.page.getByRole('button', { name: 'Remove: Monitoring' }).click()
    await dialog.getByRole('button', { name: 'Remove' }).click()
    await visit.page.getByText('The token Monitoring is removed').waitFor()
    await other.open('#/senders')
    await other.page.getByText('The session has ended').waitFor()
    await expectSound(visit)
  })
})
