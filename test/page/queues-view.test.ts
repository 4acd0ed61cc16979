import { readFile } from 'node:fs/promises'
import type { Locator } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import type { ItemPage, ItemView } from '../../src/admin/queue/item-view.ts'
import { withoutBrowser } from './browser.ts'
import { expectSound, letterFrom, OperatedPage } from './operated-page.ts'

const page = OperatedPage.forThisFile()

/** What the store has of messages from this sender. */
async function storedFrom(sender: string): Promise<ItemView[]> {
  return (await page.ask<ItemPage>(`/queue?sender=${encodeURIComponent(sender)}`)).items
}

/** Queued, and put off by the smart host. */
async function deferredFrom(sender: string, recipients: readonly string[]): Promise<void> {
  for (const to of recipients)
    await page.mail({ from: sender, to: [to], content: letterFrom(sender, 'Put off') })
  await expect
    .poll(async () => (await storedFrom(sender)).filter(({ state }) => state === 'deferred').length, {
      timeout: 10_000,
    })
    .toBe(recipients.length)
}

/** What is said of it beside its name. */
function describedBy(control: Locator): Promise<string | null | undefined> {
  return control.evaluate(
    (element) => document.getElementById(element.getAttribute('aria-describedby') ?? '')?.textContent,
  )
}

describe.skipIf(withoutBrowser !== null)('the Queue Viewer', () => {
  it('says that nothing waits', async () => {
    const visit = await page.visit({ width: 400, colours: 'dark' })
    await visit.open('#/queues/messages')
    await visit.page.getByText('The queue is empty').waitFor()
    await expectSound(visit)
    await visit.screenshot('queues-empty-400-en-dark')
  })

  it('shows a queue in Retry with its reason, and its messages by a click', async () => {
    await page.mail({ from: 'retry@example.com', to: ['a@closed.example.org'] })
    const visit = await page.visit()
    await visit.open('#/queues')
    const row = visit.page.getByRole('row').filter({ hasText: 'Closed' })
    await row.getByText('Retry', { exact: true }).waitFor()
    await row.getByText(/451 4\.4\.1 .*ECONNREFUSED/).waitFor()
    await visit.screenshot('queues-1280-en-light')
    await row.getByRole('button', { name: 'Retry queue' }).click()
    await visit.page.getByText('The queue of Closed is tried again now.').waitFor()
    await expectSound(visit)

    await row.getByRole('link', { name: 'Closed' }).click()
    await visit.page.getByRole('row').filter({ hasText: 'retry@example.com' }).waitFor()
    expect(visit.page.url()).toContain('#/queues/messages?connector=31')
    await expectSound(visit)
  })

  it('suspends, resumes and removes what is ticked, and the store agrees', async () => {
    const sender = 'ticked@example.com'
    await deferredFrom(sender, ['rcpt-451-a@example.org', 'rcpt-451-b@example.org'])
    const visit = await page.visit()
    await visit.open(`#/queues/messages?sender=${encodeURIComponent(sender)}`)
    const row = visit.page.getByRole('row').filter({ hasText: 'rcpt-451-a@example.org' })
    await row.getByText('451 4.1.1 Refused at RCPT').waitFor()
    const tick = () => row.getByRole('checkbox').check()
    const press = (name: string) => visit.page.getByRole('button', { name, exact: true }).click()

    await tick()
    await press('Suspend')
    await row.getByText('Suspended').waitFor()
    await row.getByText('Held: asked by an operator').waitFor()
    expect((await storedFrom(sender)).map(({ state }) => state).sort()).toEqual(['deferred', 'suspended'])
    await visit.screenshot('messages-1280-en-light')

    await tick()
    await press('Resume')
    await row.getByText('Retry', { exact: true }).waitFor()
    expect((await storedFrom(sender)).map(({ state }) => state)).not.toContain('suspended')

    await tick()
    await press('Remove')
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByText('Do you want to continue?').waitFor()
    await visit.screenshot('remove-1280-en-light')
    await dialog.getByLabel('Remove (without NDR)').check()
    await dialog.getByRole('button', { name: 'Remove (without NDR)' }).click()
    await row.waitFor({ state: 'detached' })
    expect((await storedFrom(sender)).map(({ recipients }) => recipients[0]!.address)).toEqual([
      'rcpt-451-b@example.org',
    ])
    await expectSound(visit)
  })

  it('sorts by reception, in the address and by further filters', async () => {
    const sender = 'sorted@example.com'
    const names = ['first', 'second', 'third']
    await deferredFrom(
      sender,
      names.map((name) => `rcpt-451-${name}@example.org`),
    )
    const visit = await page.visit()
    await visit.open(`#/queues/messages?sender=${encodeURIComponent(sender)}`)
    const order = visit.page.getByLabel('Order')
    const shown = (...names: string[]) =>
      expect
        .poll(async () =>
          (await visit.page.locator('tbody tr').allTextContents()).map(
            (text) => /rcpt-451-(\w+)@/.exec(text)?.[1],
          ),
        )
        .toEqual(names)
    await order.selectOption('Newest first')
    await shown('third', 'second', 'first')
    expect(visit.page.url()).toMatch(/sender=sorted%40example\.com&order=newest$/)
    await visit.page.getByLabel('Status').selectOption('Retry')
    await expect.poll(() => visit.page.url()).toMatch(/state=deferred&.*order=newest$/)
    await shown('third', 'second', 'first')
    await order.selectOption('Oldest first')
    await shown('first', 'second', 'third')
    await visit.page.reload()
    await shown('first', 'second', 'third')
    expect(await order.inputValue()).toBe('oldest')
    await expectSound(visit)
  })

  it('removes all that match, with a report to the sender, and leaves the rest', async () => {
    const sender = 'matching@example.com'
    await deferredFrom(sender, ['rcpt-451-c@example.org', 'rcpt-451-d@example.org', 'rcpt-451-e@example.org'])
    await deferredFrom('other@example.com', ['rcpt-451-f@example.org'])
    const visit = await page.visit({ width: 400, language: 'de', colours: 'dark' })
    await visit.open('#/queues/messages')
    await visit.page.getByLabel('Von Adresse').fill(sender)
    await visit.page.keyboard.press('Enter')
    await visit.page.getByText('3 Nachrichten angezeigt').waitFor()
    await visit.page.getByRole('button', { name: 'Alle passenden auswählen' }).click()
    await expectSound(visit)
    await visit.screenshot('messages-400-de-dark')
    await visit.page.getByRole('button', { name: 'Entfernen', exact: true }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByText('Möchten Sie fortfahren?').waitFor()
    await dialog.getByLabel('Grund').fill('Das war ein Versuch')
    await expectSound(visit)
    await visit.screenshot('remove-400-de-dark')
    await dialog.getByRole('button', { name: 'Entfernen (mit Unzustellbarkeitsbericht)' }).click()
    await visit.page.getByText('Geändert: 3.').waitFor()
    await visit.page.getByText('Keine Nachricht passt zum Filter').waitFor()
    expect(await storedFrom(sender)).toEqual([])
    expect(await storedFrom('other@example.com')).toHaveLength(1)
    expect(await page.arrival(sender)).toMatch(/^Undeliverable/)
    const removals = `/tracking?event=REMOVE&sender=${encodeURIComponent(sender)}`
    const reasons = async () =>
      (await page.ask<{ events: { context: string }[] }>(removals)).events.map(({ context }) => context)
    await expect.poll(reasons, { timeout: 10_000 }).toEqual(Array(3).fill('Das war ein Versuch'))
    await expectSound(visit)
  })

  it('redirects a message to another connector, by which it leaves, for a reason of one line', async () => {
    const id = await page.mail({ from: 'redirected@example.com', to: ['b@closed.example.org'] })
    const visit = await page.visit()
    await visit.open(`#/queues/messages/${id}`)
    await visit.page.getByRole('button', { name: 'Redirect', exact: true }).click()
    const dialog = visit.page.getByRole('dialog')
    await dialog.getByLabel('To the connector').selectOption({ label: 'Newsletter provider' })
    await visit.screenshot('redirect-1280-en-light')
    const reason = dialog.getByLabel('Reason')
    await reason.fill('x'.repeat(201))
    await dialog.getByRole('button', { name: 'Redirect' }).click()
    await dialog.getByText('reason must be one line of 1 to 200 characters').waitFor()
    expect(await reason.getAttribute('aria-invalid')).toBe('true')
    await reason.fill('Closed is closed')
    await dialog.getByRole('button', { name: 'Redirect' }).click()
    await page.arrival('b@closed.example.org')
    await visit.page.getByText('This message is no longer in the queue').waitFor()
    await expectSound(visit)
  })

  it('tells of one message what each recipient was answered, and gives it as a file', async () => {
    const content = letterFrom('one@example.com', 'One message')
    const id = await page.mail({
      ...{ from: 'one@example.com', content },
      to: ['rcpt-451-g@example.org', 'rcpt-550-h@example.org', 'taken@example.org'],
    })
    const visit = await page.visit({ width: 400, language: 'de', colours: 'light' })
    await visit.open(`#/queues/messages/${id}`)
    const cell = (recipient: string) => visit.page.getByRole('row').filter({ hasText: recipient })
    await cell('rcpt-451-g@example.org').getByText('Wiederholen').waitFor()
    await cell('rcpt-451-g@example.org').getByText('451 4.1.1 Refused at RCPT').waitFor()
    await cell('rcpt-550-h@example.org').getByText('Fehlgeschlagen').waitFor()
    await cell('taken@example.org').getByText('Abgeschlossen').waitFor()
    await expectSound(visit)
    await visit.screenshot('message-400-de-light')

    const downloaded = visit.page.waitForEvent('download')
    await visit.page.getByRole('link', { name: '.eml herunterladen' }).click()
    const download = await downloaded
    expect(download.suggestedFilename()).toBe(`${id}.eml`)
    expect(await readFile(await download.path(), 'utf8')).toMatch(
      /^Received: [\s\S]*\r\nSubject: One message\r\n/,
    )
  })

  it('says at its field what is wrong with the filter', async () => {
    const visit = await page.visit()
    await visit.open('#/queues/messages?state=lost')
    await visit.page.getByText(/state must be ready, deferred, leased or suspended/).waitFor()
    expect(await visit.page.getByLabel('Status').getAttribute('aria-invalid')).toBe('true')
    await visit.open('#/queues/messages?sender=nobody')
    const field = visit.page.getByLabel('From address')
    await visit.page.getByText(/sender must be an address such as/).waitFor()
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    await expectSound(visit)
  })

  it('shows somebody who may only read why he cannot act', async () => {
    await deferredFrom('watched@example.com', ['rcpt-451-i@example.org'])
    const body = { name: 'reader', scopes: ['read'], expiresAt: null }
    const { token } = await page.ask<{ token: string }>('/tokens', { method: 'POST', body })
    const visit = await page.visit({}, token)
    await visit.open('#/queues/messages?sender=watched%40example.com')
    await visit.page.getByRole('row').filter({ hasText: 'rcpt-451-i' }).getByRole('checkbox').check()
    const remove = visit.page.getByRole('button', { name: 'Remove', exact: true })
    expect(await remove.getAttribute('aria-disabled')).toBe('true')
    expect(await describedBy(remove)).toBe('Needs a token with the scope operate or admin.')
    await remove.click({ force: true })
    expect(await visit.page.getByRole('dialog').count()).toBe(0)
    expect(await storedFrom('watched@example.com')).toHaveLength(1)
    await expectSound(visit)
  })
})
