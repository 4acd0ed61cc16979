/** rspamd's own milter, through our milter client. Where it is missing the tests are skipped, and fail in CI. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MilterChecker } from '../../src/policy/checkers/milter.ts'
import { type CheckedFields, checkedMessage, textOf } from '../support/checked-message.ts'
import { gtube, type RspamdServer, rspamdAvailable, startRspamd } from '../support/rspamd.ts'

describe.skipIf(!rspamdAvailable)('rspamd as a milter', () => {
  let rspamd: RspamdServer
  let checker: MilterChecker
  beforeAll(async () => {
    rspamd = await startRspamd()
    checker = new MilterChecker({
      name: 'rspamd',
      address: rspamd.milter,
      concurrency: 4,
      hostname: 'relay.example.com',
    })
  })
  afterAll(async () => {
    await checker.close()
    await rspamd.daemon.destroy()
  })

  const headerSaying = (word: string): string =>
    `From: <sender@example.com>\r\nX-Say: ${word}\r\nSubject: A letter\r\n\r\n`

  async function check(fields: CheckedFields) {
    const message = checkedMessage(fields)
    return { message, verdict: await checker.check(message, AbortSignal.timeout(15_000)) }
  }

  async function passed(fields: CheckedFields) {
    const { message, verdict } = await check(fields)
    if (verdict.kind !== 'pass') throw new Error(`The message did not pass: ${JSON.stringify(verdict)}`)
    return { message, verdict, text: await textOf(verdict.draft) }
  }

  it('lets clean mail pass as it is', async () => {
    const { message, verdict } = await passed({})
    expect(verdict.draft).toBe(message.draft)
    expect(verdict.note).toBeNull()
  })

  it('refuses spam in its own words', async () => {
    const { verdict } = await check({ body: `${gtube}\r\n` })
    expect(verdict).toEqual({
      kind: 'refuse',
      reply: { code: 554, enhanced: '5.7.1', text: 'Gtube pattern' },
      note: null,
    })
  })

  it('finds spam behind a line that is no header field', async () => {
    const header = `From: <sender@example.com>\r\nno field\r\n${gtube}\r\n\r\n`
    expect((await check({ header, body: '' })).verdict).toMatchObject({
      kind: 'refuse',
      reply: { code: 554 },
    })
  })

  it('defers what it wants to see again', async () => {
    const { verdict } = await check({ header: headerSaying('later') })
    expect(verdict).toMatchObject({
      kind: 'refuse',
      reply: { code: 451, enhanced: '4.7.1', text: 'Come back later' },
    })
  })

  it('discards', async () => {
    expect((await check({ header: headerSaying('discard') })).verdict).toEqual({ kind: 'drop', note: null })
  })

  it('marks what may be spam', async () => {
    const { text } = await passed({ header: headerSaying('spam') })
    expect(text).toBe(`${headerSaying('spam').slice(0, -2)}X-Spam: Yes\r\n\r\nHello\r\n`)
  })

  it('rewrites the subject', async () => {
    const { text } = await passed({ header: headerSaying('subject') })
    expect(text).toBe(`${headerSaying('subject').replace('A letter', '[SPAM] A letter')}Hello\r\n`)
  })

  it('knows the envelope, and adds and removes fields', async () => {
    const { text } = await passed({
      header: headerSaying('fields'),
      to: ['a@example.org', 'b@example.net'],
      session: { client: { address: '2001:db8::7', listener: null, user: 'alice' } },
    })
    const known = 'sender@example.com a@example.org,b@example.net 2001:db8::7 client.example.com alice'
    expect(text.replace(/ \d+(?=\r\n\r\n)/, '')).toBe(
      `X-Top: top\r\nFrom: <sender@example.com>\r\nSubject: A letter\r\nX-Known: ${known}\r\n\r\nHello\r\n`,
    )
  })

  it('replaces the body, which it sends in one packet', async () => {
    const { text } = await passed({ header: headerSaying('body') })
    expect(text === `${headerSaying('body')}${'new\r\n'.repeat(100_000)}`).toBe(true)
  })

  it('judges the messages of one client over one connection, and of many at a time', async () => {
    const bodies = Array.from({ length: 24 }, (_, index) => (index % 3 === 0 ? `${gtube}\r\n` : 'Hello\r\n'))
    const { transaction } = checkedMessage()
    const one: string[] = []
    for (const body of bodies) {
      const verdict = await checker.check(
        { ...checkedMessage({ body }), transaction },
        AbortSignal.timeout(15_000),
      )
      one.push(verdict.kind)
    }
    const many = await Promise.all(bodies.map(async (body) => (await check({ body })).verdict.kind))
    const expected = bodies.map((body) => (body === 'Hello\r\n' ? 'pass' : 'refuse'))
    expect({ one, many }).toEqual({ one: expected, many: expected })
  })
})
