import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { type Visit, withoutBrowser } from './browser.ts'
import { expectSound, letterFrom, OperatedPage } from './operated-page.ts'

const page = OperatedPage.forThisFile({
  senders: [{ address: 'news@example.com', connector: 30 }],
  policy: {
    limits: [
      { name: 'per-sender', per: 'sender', messagesPerHour: 500 },
      { name: 'narrow', per: 'sender', only: ['narrow@example.com'], messagesPerHour: 4 },
    ],
    rules: [
      {
        name: 'Second look',
        conditions: { subjectContainsWords: ['contract'] },
        actions: { hold: 'four eyes' },
      },
      {
        name: 'Mark',
        conditions: { recipientDomainIs: ['example.org'] },
        actions: { prefixSubject: '[external] ' },
      },
    ],
  },
})

/** Whether anything but the ground is on the canvas. */
function isDrawn(visit: Visit, chart: string): Promise<boolean> {
  return visit.page.locator(`[data-chart="${chart}"] canvas`).evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement
    const { data } = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height)
    return data.some((part) => part !== 0)
  })
}

/** A number of the table beside a chart. */
async function valueIn(visit: Visit, row: string, column: 'Now' | 'Most'): Promise<number> {
  const cells = visit.page.getByRole('row').filter({ hasText: row }).locator('td')
  return Number.parseFloat((await cells.nth(column === 'Now' ? 0 : 2).textContent())!)
}

describe.skipIf(withoutBrowser !== null)('the overview', () => {
  it('draws what passes, and says it in numbers that move', async () => {
    const visit = await page.visit()
    await visit.open('#/overview')
    await visit.page.getByText('Ready', { exact: true }).waitFor()
    await visit.page.locator('[data-chart="Per second"] canvas').waitFor()
    const label = visit.page.locator('[data-chart="Per second"]').getByRole('img')
    for (let i = 0; i < 5; i++) await page.mail({ from: 'many@example.com', to: [`m${i}@example.org`] })
    await expect.poll(() => valueIn(visit, 'Accepted', 'Most'), { timeout: 10_000 }).toBeGreaterThan(0)
    await expect.poll(() => valueIn(visit, 'Relayed', 'Most'), { timeout: 10_000 }).toBeGreaterThan(0)
    await expect.poll(() => valueIn(visit, 'Median', 'Most'), { timeout: 10_000 }).toBeGreaterThan(0)
    for (const chart of ['Per second', 'Latency', 'Queue length'])
      expect(await isDrawn(visit, chart)).toBe(true)
    expect(await label.getAttribute('aria-label')).toMatch(/^Per second\. Now: Accepted \d/)
    await visit.page.getByText('15 minutes').click()
    expect(await isDrawn(visit, 'Per second')).toBe(true)
    await expectSound(visit)
  })

  it('names the connectors in trouble and the fullest limits', async () => {
    await page.mail({ from: 'trouble@example.com', to: ['a@closed.example.org'] })
    for (let i = 0; i < 4; i++) await page.mail({ from: 'narrow@example.com', to: [`n${i}@example.org`] })
    for (const looks of [{}, { width: 400, language: 'de', colours: 'dark' }] as const) {
      const visit = await page.visit(looks)
      await visit.open('#/overview')
      await visit.page.getByText(/451 4\.4\.1 .*ECONNREFUSED/).waitFor()
      await visit.page.locator('.chart canvas').first().waitFor()
      const fullest = visit.page.locator('.quota').first()
      await fullest.getByText('narrow@example.com').waitFor()
      expect(await fullest.locator('meter').evaluate((meter) => (meter as HTMLMeterElement).value)).toBe(4)
      await expectSound(visit)
      await visit.screenshot('width' in looks ? 'overview-400-de-dark' : 'overview-1280-en-light')
    }
  })

  it('asks for nothing while nobody looks, and at once when somebody looks again', async () => {
    const visit = await page.visit()
    let asked = 0
    visit.page.on('request', (request) => {
      if (request.url().includes('/live')) asked++
    })
    const answered = () => visit.page.waitForResponse((response) => response.url().includes('/live'))
    const look = (hidden: boolean) =>
      visit.page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { configurable: true, value })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await visit.page.clock.install()
    const first = answered()
    await visit.open('#/overview')
    await first
    await visit.page.locator('.chart canvas').first().waitFor()
    await look(true)
    const before = asked
    await visit.page.clock.runFor(20_000)
    expect(asked - before).toBe(0)
    const again = answered()
    await look(false)
    await again
  })
})

describe.skipIf(withoutBrowser !== null)('the message trace', () => {
  it('tells the way of a message from RECEIVE to SEND with the smart host’s reply', async () => {
    const guid = '13fad5b7-39c5-46e7-130e-08d4a138ac67'
    const id = await page.mail({
      from: 'traced@example.com',
      to: ['rcpt-451-first-1@example.org', 'rcpt-550@example.org', 'taken@example.org'],
      content: letterFrom('traced@example.com', 'A letter', [
        'Message-ID: <traced@example.com>',
        `X-MS-Exchange-Organization-Network-Message-Id: ${guid}`,
      ]),
    })
    const events = ['RECEIVE', 'AGENTINFO', 'SEND', 'DEFER', 'FAIL', 'DSN']
    await page.history(id, events)
    const visit = await page.visit()
    await visit.open('#/trace')
    await visit.page.getByLabel('Network message id').fill(guid)
    await visit.page.keyboard.press('Enter')
    const history = visit.page.locator('.history')
    await history.getByText('Timeline').waitFor()
    expect(await history.locator('.step-head code').allTextContents()).toEqual(expect.arrayContaining(events))
    const sent = history.locator('.step').filter({ hasText: /SEND/ })
    expect(await sent.textContent()).toMatch(
      /taken@example\.org250 2\.0\.0 Ok: queued as (\S+?)Queue id there\1ConnectorNewsletter provider \(29\)/,
    )
    expect(
      await history
        .locator('.step')
        .filter({ hasText: /RECEIVE/ })
        .textContent(),
    ).toContain('Client127.0.0.1')
    expect(
      await history
        .locator('.step')
        .filter({ hasText: /AGENTINFO/ })
        .textContent(),
    ).toContain('RuleMark')
    expect(await history.locator('.step').filter({ hasText: /DEFER/ }).textContent()).toContain(
      'Next attempt',
    )
    await history.getByText('Deferred', { exact: true }).first().waitFor()
    await expectSound(visit)
    await visit.screenshot('trace-1280-en-light')

    await history.getByRole('link', { name: 'Show in the queue' }).click()
    await visit.page.getByRole('heading', { name: `Message ${id}` }).waitFor()
  })

  it('gives what matches as lines of Exchange’s tracking log', async () => {
    const id = await page.mail({ from: 'exported@example.com', to: ['exported@example.org'] })
    await page.history(id, ['RECEIVE', 'SEND'])
    const visit = await page.visit({ width: 400, language: 'de', colours: 'dark' })
    await visit.open('#/trace?sender=exported%40example.com')
    await visit.page.locator('.history').waitFor()
    await expectSound(visit)
    await visit.screenshot('trace-400-de-dark')
    const downloaded = visit.page.waitForEvent('download')
    await visit.page.getByRole('button', { name: 'Als CSV exportieren' }).click()
    const text = await readFile(await (await downloaded).path(), 'utf8')
    expect(text).toMatch(/^#Software: smarthost-relay\r\n/)
    expect(text).toMatch(/,RECEIVE,.*exported@example\.org/)
    await expectSound(visit)
  })

  it('says that nothing matches, and what is wrong with what was asked', async () => {
    const visit = await page.visit()
    await visit.open('#/trace?recipient=nobody%40example.net')
    await visit.page.getByText('No message in the history matches').waitFor()
    await visit.open('#/trace?networkMessageId=none')
    await visit.page.getByText(/networkMessageId must be a GUID/).waitFor()
    expect(await visit.page.getByLabel('Network message id').getAttribute('aria-invalid')).toBe('true')
    await expectSound(visit)
  })
})

describe.skipIf(withoutBrowser !== null)('Explain', () => {
  it('answers each change of the question', async () => {
    const visit = await page.visit()
    await visit.open('#/explain')
    await visit.page.getByText('Enter a recipient').waitFor()
    const answers = visit.page.locator('.answers')
    const answer = (text: string | RegExp) => answers.getByText(text).first().waitFor()
    await visit.page.getByLabel('Sender').fill('anybody@example.com')
    await visit.page.getByLabel('Recipients').fill('a@example.net')
    await answer('Leaves by connector Customers (30)')
    await answer('Neither anybody@example.com nor its domain has a binding.')
    await answer('loses: its address space is less specific')

    await visit.page.getByLabel('Size').fill('2MB')
    await answer('Leaves by connector Newsletter provider (29)')
    await answer('is too small: its maxSendSize is below the message')

    await visit.page.getByLabel('Sender').fill('news@example.com')
    await answer('The address news@example.com is bound to the connector 30.')
    await answer(/^Refused: 552 5\.3\.4/)
    await visit.page.getByText('It does not leave').waitFor()
    await visit.screenshot('explain-1280-en-light')
    await visit.page.getByLabel('Size').fill('')
    await answer('The bound connector 30 takes it.')
    await answer('Leaves by connector Customers (30)')

    await visit.page.getByLabel('Size').fill('much')
    await visit.page.getByText(/size must be/).waitFor()
    expect(await visit.page.getByLabel('Size').getAttribute('aria-invalid')).toBe('true')
    await expectSound(visit)
  })

  it('asks the rules about a whole message', async () => {
    const visit = await page.visit({ width: 400, language: 'de', colours: 'dark' })
    await visit.open('#/explain?from=anybody%40example.com&to=a%40example.org')
    await visit.page.getByText('Kopf, oder eine ganze Nachricht').click()
    await visit.page.getByLabel('Ganze Nachricht').fill('Subject: The contract\n\nText\n')
    await visit.page.getByText('Für einen Operator angehalten: four eyes').waitFor()
    await visit.page.getByText(/trifft zu \(subjectContainsWords contract\)/).waitFor()
    await visit.page.getByText('Geht über den Connector Newsletter provider (29)').waitFor()
    await expectSound(visit)
    await visit.screenshot('explain-400-de-dark')
  })
})

describe.skipIf(withoutBrowser !== null)('the sandbox inbox', () => {
  it('shows what was relayed with its headers, as it comes', async () => {
    const visit = await page.visit({ colours: 'dark' })
    await visit.open('#/sandbox')
    await page.mail({
      from: 'shown@example.com',
      to: ['shown@example.net', 'second@example.net'],
      content: letterFrom('shown@example.com', '=?utf-8?Q?Gr=C3=BC=C3=9Fe?= <b>aus</b> Köln', [
        'x-mclm-sbr-processed: true',
      ]),
    })
    await visit.page.getByRole('link', { name: 'Grüße <b>aus</b>' }).click()
    const header = visit.page.getByRole('row').filter({ hasText: 'x-mclm-sbr-processed' })
    await header.getByText('processed by the sender-bound connector').waitFor()
    expect(await header.locator('mark').allTextContents()).toEqual(['x-mclm-sbr-processed', 'true'])
    await visit.page.getByText('shown@example.net and second@example.net').waitFor()
    expect(await visit.page.getByText('The message is longer').count()).toBe(0)
    await visit.page.locator('pre').filter({ hasText: 'x-mclm-sbr-processed: true' }).waitFor()
    await expectSound(visit)
    await visit.screenshot('inbox-message-1280-en-dark')
    const downloaded = visit.page.waitForEvent('download')
    await visit.page.getByRole('link', { name: 'Download .eml' }).click()
    expect(await readFile(await (await downloaded).path(), 'utf8')).toContain(
      'x-mclm-sbr-processed: true\r\n',
    )
  })

  it('is emptied after a question', async () => {
    await page.mail({ to: ['cleared@example.net'] })
    await page.arrival('cleared@example.net')
    const visit = await page.visit({ width: 400, language: 'de' })
    await visit.open('#/sandbox')
    await visit.page.getByRole('row').filter({ hasText: 'cleared@example.net' }).waitFor()
    await expectSound(visit)
    await visit.screenshot('inbox-400-de-light')
    await visit.page.getByRole('button', { name: 'Posteingang leeren' }).click()
    await visit.page.getByRole('dialog').getByRole('button', { name: 'Posteingang leeren' }).click()
    await visit.page.getByText('Noch ist nichts angekommen').waitFor()
    expect(await page.ask('/sandbox/messages')).toMatchObject({ messages: [] })
    await expectSound(visit)
  })
})
