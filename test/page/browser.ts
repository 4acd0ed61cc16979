/**
 * The page in a real browser: the distribution's Chromium, without a window. Whatever the page asks for from elsewhere,
 * whatever its policy forbids and whatever it throws is kept, so that a test can say that there was nothing.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const program = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path))

/** Why the tests of the page cannot run here; null where they can. In CI they must. */
export const withoutBrowser = program === undefined && process.env.CI === undefined ? 'no Chromium' : null

const narrow = { width: 400, height: 800 }
const wide = { width: 1280, height: 860 }
const screenshots = new URL('screenshots/', import.meta.url).pathname

export interface Looks {
  readonly width?: 1280 | 400
  readonly language?: 'en' | 'de'
  readonly colours?: 'light' | 'dark'
}

export class PageBrowser {
  readonly #browser: Browser

  static async launch(): Promise<PageBrowser> {
    if (program === undefined) throw new Error('There is no Chromium: install it, or name it in CHROMIUM')
    // No sandbox: tests run as root in containers, and open nothing but our own page.
    return new PageBrowser(await chromium.launch({ executablePath: program, args: ['--no-sandbox'] }))
  }

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  /** A visitor of the page who has never been here. */
  async visit(url: string, { width = 1280, language = 'en', colours = 'light' }: Looks = {}): Promise<Visit> {
    const context = await this.#browser.newContext({
      baseURL: url,
      viewport: width === narrow.width ? narrow : wide,
      locale: language === 'de' ? 'de-DE' : 'en-GB',
      colorScheme: colours,
      timezoneId: 'Europe/Berlin',
      reducedMotion: 'reduce',
    })
    context.setDefaultTimeout(10_000)
    return Visit.begin(context, url)
  }

  close(): Promise<void> {
    return this.#browser.close()
  }
}

export class Visit {
  readonly page: Page
  /** What should not have been: requests that leave the relay, violations of its policy, errors. */
  readonly complaints: string[] = []
  readonly #context: BrowserContext

  static async begin(context: BrowserContext, url: string): Promise<Visit> {
    const visit = new Visit(context, await context.newPage())
    visit.#watch(new URL(url).origin)
    await visit.page.goto('/')
    return visit
  }

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context
    this.page = page
  }

  async logIn(token: string): Promise<void> {
    await this.page.locator('input[type=password]').fill(token)
    await this.page.keyboard.press('Enter')
    await this.page.locator('#navigation').waitFor({ state: 'attached' })
  }

  /** `#/connectors/29`; resolves when the view's heading is there. */
  async open(hash: string): Promise<void> {
    await this.page.goto(`/${hash}`)
    await this.page.locator('h1').waitFor()
  }

  /**
   * Kept in test/page/screenshots for whoever wants to see what the tests saw, and how that is in the other width:
   * there too nothing may have to be scrolled to the side.
   */
  async screenshot(name: string): Promise<void> {
    await mkdir(screenshots, { recursive: true })
    await this.#take(name)
    const own = this.page.viewportSize()!
    const other = own.width === narrow.width ? wide : narrow
    await this.page.setViewportSize(other)
    await this.#take(`${name}.at-${other.width}`)
    expect(await this.sideways(), `${name} is wider than ${other.width}`).toBe(0)
    await this.page.setViewportSize(own)
  }

  async #take(name: string): Promise<void> {
    // From the top, or what stays in its place on the screen is taken in the middle.
    await this.page.evaluate(() => scrollTo(0, 0))
    await this.page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true })
  }

  /** How far the page can be scrolled to the side, which nobody should have to. */
  sideways(): Promise<number> {
    return this.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement
      return scrollWidth - clientWidth
    })
  }

  /** What somebody who does not see the page would miss. */
  async barriers(): Promise<string[]> {
    return this.page.evaluate(() => {
      const found: string[] = []
      if (document.documentElement.lang === '') found.push('the document has no language')
      if (document.querySelectorAll('h1').length !== 1) found.push('there is not one h1')
      const shown = (element: Element) => element.getClientRects().length > 0
      for (const field of document.querySelectorAll('input, select, textarea')) {
        const { labels } = field as HTMLInputElement
        const named = (labels?.length ?? 0) > 0 || field.hasAttribute('aria-label')
        if (shown(field) && !named) found.push(`a field has no label: ${field.outerHTML.slice(0, 120)}`)
      }
      for (const control of document.querySelectorAll('button, a[href]')) {
        const named = control.textContent?.trim() || control.getAttribute('aria-label')
        if (shown(control) && !named) found.push(`a control has no name: ${control.outerHTML.slice(0, 120)}`)
      }
      const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
      for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index)))
        found.push(`the id ${id} is there twice`)
      for (const element of document.querySelectorAll(
        '[aria-describedby], [aria-labelledby], [aria-controls]',
      ))
        for (const name of ['aria-describedby', 'aria-labelledby', 'aria-controls'])
          for (const id of (element.getAttribute(name) ?? '').split(' '))
            if (id !== '' && document.getElementById(id) === null) found.push(`${name} names nothing: ${id}`)
      return found
    })
  }

  close(): Promise<void> {
    return this.#context.close()
  }

  #watch(origin: string): void {
    this.page.on('request', (request) => {
      const url = request.url()
      if (new URL(url).origin !== origin) this.complaints.push(`a request left for ${url}`)
    })
    this.page.on('pageerror', (error) => this.complaints.push(`thrown: ${error.message}`))
    this.page.on('console', (message) => {
      const { url } = message.location()
      // A browser writes each answer of 4xx there; what the page makes of them is what is tested.
      const isAnswer = message.text().startsWith('Failed to load resource') && url.startsWith(origin)
      if (message.type() === 'error' && !isAnswer) this.complaints.push(`console: ${message.text()}`)
    })
  }
}
