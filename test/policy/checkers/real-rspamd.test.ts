/** Against a real rspamd, over HTTP. Skipped where it is not installed; where CI is set it must be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Rspamd } from '../../../src/policy/checkers/rspamd.ts'
import { type CheckedFields, checkedMessage, textOf } from '../../support/checked-message.ts'
import { gtube, type RspamdServer, rspamdAvailable, startRspamd } from '../../support/rspamd.ts'

describe.skipIf(!rspamdAvailable)('a real rspamd', () => {
  let server: RspamdServer
  beforeAll(async () => {
    server = await startRspamd()
  })
  afterAll(() => server?.daemon.destroy())

  const { signal } = new AbortController()
  function check(fields: CheckedFields) {
    const rspamd = new Rspamd(
      { name: 'rspamd', url: server.url },
      { password: null, hostname: 'relay.example.com' },
    )
    return rspamd.check(checkedMessage(fields), signal)
  }
  const saying = (word: string) => `From: <sender@example.com>\r\nX-Say: ${word}\r\nSubject: A letter\r\n\r\n`

  it('has nothing against a letter', async () => {
    expect(await check({})).toMatchObject({
      kind: 'pass',
      hold: null,
      note: expect.stringMatching(/^no action, score 0 of 15/),
    })
  })

  it('rejects GTUBE', async () => {
    expect(await check({ body: `${gtube}\r\n` })).toMatchObject({
      kind: 'refuse',
      reply: { code: 554, enhanced: '5.7.1', text: 'Gtube pattern' },
      note: expect.stringContaining('GTUBE'),
    })
  })

  it('gets all of a message of several megabytes', async () => {
    const body = {
      async *read() {
        for (let n = 0; n < 64; n++) yield Buffer.alloc(64 * 1024, `${'x'.repeat(62)}\r\n`)
      },
    }
    const verdict = await check({ header: saying('fields'), body })
    if (verdict.kind !== 'pass') throw new Error('It did not pass')
    const sizeBytes = saying('fields').length + 64 * 64 * 1024
    expect(verdict.draft.header.toString('latin1')).toMatch(new RegExp(`^X-Known: .* ${sizeBytes}\r$`, 'm'))
  })

  it('marks spam', async () => {
    const verdict = await check({ header: saying('spam') })
    if (verdict.kind !== 'pass') throw new Error('It did not pass')
    expect(verdict.note).toMatch(/^add header, score 7 of 15: SAYS_SPAM\(7\)/)
    expect(await textOf(verdict.draft)).toBe(`${saying('spam').slice(0, -2)}X-Spam: Yes\r\n\r\nHello\r\n`)
  })

  it('rewrites the subject', async () => {
    const verdict = await check({ header: saying('subject') })
    if (verdict.kind !== 'pass') throw new Error('It did not pass')
    expect(await textOf(verdict.draft)).toMatch(/^Subject: .*SPAM.*A.letter.*\r\n/m)
  })

  it('asks for the message again later', async () => {
    expect(await check({ header: saying('later') })).toMatchObject({
      kind: 'refuse',
      reply: { code: 451, enhanced: '4.7.1', text: 'Come back later' },
    })
  })

  it('discards', async () => {
    expect(await check({ header: saying('discard') })).toMatchObject({ kind: 'drop' })
  })

  it('knows envelope and client, and changes fields at their places', async () => {
    const verdict = await check({
      header: saying('fields'),
      from: 'jürgen@example.com',
      to: ['a@example.org', 'b@example.org'],
      session: {
        client: { address: '2001:db8::1', listener: 'exchange', user: 'alice' },
        helo: 'client.example.com',
      },
    })
    if (verdict.kind !== 'pass') throw new Error('It did not pass')
    expect(verdict.draft.header.toString('latin1')).toMatch(
      /^X-Top: top\r\nFrom: <sender@example.com>\r\nSubject: /,
    )
    expect(verdict.draft.header.toString('latin1')).not.toContain('X-Say')
  })

  it('is told of the first of very many recipients', async () => {
    const to = Array.from({ length: 5000 }, (_, n) => `recipient-${n}@example.org`)
    expect(await check({ to })).toMatchObject({ kind: 'pass' })
  })
})
