/** Against a real clamd. Skipped where it is not installed; where CI is set it must be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NotChecked } from '../../../src/policy/checkers/checker.ts'
import { Clamd } from '../../../src/policy/checkers/clamd.ts'
import { guarded } from '../../../src/policy/checkers/guard.ts'
import { checkedMessage } from '../../support/checked-message.ts'
import { type ClamdServer, clamdAvailable, eicar, startClamd } from '../../support/clamd.ts'

describe.skipIf(!clamdAvailable)('a real clamd', () => {
  let server: ClamdServer
  beforeAll(async () => {
    server = await startClamd(['StreamMaxLength 2M'])
  })
  afterAll(() => server?.daemon.destroy())

  const { signal } = new AbortController()
  const clamd = () => new Clamd({ name: 'clamav', address: server.address, infected: 'reject' })
  const mixed = (attachment: string) => ({
    header: 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n',
    body: [
      '--b',
      'Content-Type: application/octet-stream',
      'Content-Disposition: attachment; filename=x.com',
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.from(attachment).toString('base64'),
      '--b--',
      '',
    ].join('\r\n'),
  })

  it('finds a message clean', async () => {
    const message = checkedMessage(mixed('harmless'))
    expect(await clamd().check(message, signal)).toMatchObject({ kind: 'pass', draft: message.draft })
  })

  it.each([
    ['in the text', { body: `${eicar}\r\n` }],
    ['in an attachment', mixed(eicar)],
  ])('finds the EICAR test string %s', async (_where, fields) => {
    expect(await clamd().check(checkedMessage(fields), signal)).toMatchObject({
      kind: 'refuse',
      reply: {
        code: 554,
        enhanced: '5.7.1',
        text: expect.stringMatching(/^The message contains Eicar-Test/),
      },
    })
  })

  it('checks many messages at a time', async () => {
    const checks = Array.from({ length: 20 }, (_, n) =>
      clamd().check(checkedMessage(mixed(n % 2 === 0 ? eicar : 'harmless')), new AbortController().signal),
    )
    const kinds = (await Promise.all(checks)).map(({ kind }) => kind)
    expect(kinds).toEqual(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? 'refuse' : 'pass')))
  })

  it('says that a message is too large for it while we still write', async () => {
    const body = {
      async *read() {
        for (let n = 0; n < 1000; n++) {
          // As from a store: pieces come with turns of the event loop between them.
          await new Promise((resolve) => setImmediate(resolve))
          yield Buffer.alloc(16 * 1024, 'x')
        }
      },
    }
    await expect(clamd().check(checkedMessage({ body }), signal)).rejects.toThrow(NotChecked)
  })

  it('that hangs is left when the time is up, and asked again when it is back', async () => {
    const log = { info() {}, warn() {}, error() {} } as never
    const guardian = guarded(clamd(), { timeoutMs: 200, concurrency: 5, away: 'defer', log })
    server.daemon.pause()
    expect(await guardian.check(checkedMessage())).toMatchObject({
      away: 'no answer within 200ms',
      verdict: { kind: 'refuse', reply: { code: 451 } },
    })
    server.daemon.resume()
    await expect.poll(async () => (await guardian.check(checkedMessage())).away).toBeNull()
  })
})
