/**
 * A relay whose mail goes to its own sandbox, as an operator sees it in a browser: one relay and one browser for a
 * file's tests, a visitor of his own for each.
 */
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { closedPort } from '../support/closed-port.ts'
import { connectorTo } from '../support/relay-process.ts'
import { type Mail, submit } from '../support/submit.ts'
import { type Looks, PageBrowser, type Visit, withoutBrowser } from './browser.ts'
import { type PageRelay, startPageRelay } from './page-relay.ts'

export class OperatedPage {
  #relay: PageRelay | null = null
  #sandboxPort = 0
  #browser: PageBrowser | null = null
  readonly #visits: Visit[] = []

  /** For the whole file. The connectors: 29 to the sandbox for all, 30 there for example.net, 31 to nobody. */
  static forThisFile(change: Record<string, unknown> = {}): OperatedPage {
    const own = new OperatedPage()
    beforeAll(async () => {
      if (withoutBrowser === null) await own.#start(change)
    }, 60_000)
    // Each keeps connections open, and the admin port has a hundred.
    afterEach(() => own.#leave())
    afterAll(() => own.#stop())
    return own
  }

  get relay(): PageRelay['relay'] {
    return this.#relay!.relay
  }

  /** A visitor who has logged in, with the token of the machine unless another is given. */
  async visit(looks: Looks = {}, token = this.#relay!.token): Promise<Visit> {
    const visit = await this.stranger(looks)
    await visit.logIn(token)
    return visit
  }

  get sandboxPort(): number {
    return this.#sandboxPort
  }

  get token(): string {
    return this.#relay!.token
  }

  /** A visitor who has not logged in. */
  async stranger(looks: Looks = {}): Promise<Visit> {
    const visit = await this.#browser!.visit(this.relay.adminUrl, looks)
    this.#visits.push(visit)
    return visit
  }

  /** Resolves with the id of the message. */
  async mail(mail: Mail): Promise<string> {
    const { reply } = await submit(this.relay, mail)
    return /[0-9A-Z]{20}/.exec(reply)![0]
  }

  /** Asks the API as whoever may do everything. */
  async ask<Answer>(path: string, init: { method?: string; body?: unknown } = {}): Promise<Answer> {
    const response = await fetch(`${this.relay.adminUrl}${path}`, {
      method: init.method ?? 'GET',
      headers: {
        authorization: `Bearer ${this.#relay!.token}`,
        ...(init.body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (response.status === 204 ? undefined : await response.json()) as Answer
  }

  /** Waits until the sandbox has a message to this recipient, and gives its subject. */
  async arrival(recipient: string): Promise<string> {
    type Inbox = { messages: { to: string[]; subject: string }[] }
    const found = async () =>
      (await this.ask<Inbox>('/sandbox/messages')).messages.find(({ to }) => to.includes(recipient))
    await expect.poll(found, { timeout: 10_000 }).toBeDefined()
    return (await found())!.subject
  }

  /** Waits until the history has these events of the message: it is written a little later than they happen. */
  async history(id: string, events: readonly string[]): Promise<void> {
    type History = { events: { event: string }[] }
    const names = async () => (await this.ask<History>(`/tracking?id=${id}`)).events.map(({ event }) => event)
    await expect.poll(names, { timeout: 10_000 }).toEqual(expect.arrayContaining([...events]))
  }

  async #start(change: Record<string, unknown>): Promise<void> {
    const port = await closedPort()
    this.#sandboxPort = port
    const connectors = [
      connectorTo(port, { id: 29, name: 'Newsletter provider' }),
      connectorTo(port, { id: 30, name: 'Customers', addressSpaces: ['example.net'], maxSendSize: '1MB' }),
      connectorTo(await closedPort(), { id: 31, name: 'Closed', addressSpaces: ['closed.example.org'] }),
    ]
    this.#relay = await startPageRelay({ sandbox: { port }, connectors, ...change })
    this.#browser = await PageBrowser.launch()
  }

  async #leave(): Promise<void> {
    for (const visit of this.#visits.splice(0)) await visit.close()
  }

  async #stop(): Promise<void> {
    await this.#browser?.close()
    await this.#relay?.relay.destroy()
  }
}

/** Nothing left for elsewhere, was forbidden or thrown; nothing is out of reach, to the side or without a name. */
export async function expectSound(visit: Visit): Promise<void> {
  expect(await visit.sideways()).toBe(0)
  expect(await visit.barriers()).toEqual([])
  expect(visit.complaints).toEqual([])
}

export function letterFrom(from: string, subject: string, fields: readonly string[] = []): string {
  return [`From: <${from}>`, `Subject: ${subject}`, ...fields, '', 'Hello', ''].join('\r\n')
}
