import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/lab/sandbox.ts'
import type { SmtpClient } from '../support/smtp-client.ts'
import { login, submitter } from './submitter.ts'

let sandbox: Sandbox
let client: SmtpClient
beforeEach(async () => {
  sandbox = await startSandbox({ ...login, keepMessages: 10 })
  client = await submitter(sandbox)
})
afterEach(async () => {
  client.close()
  await sandbox.stop()
})

const good = 'good@example.org'

/** The codes of all replies to one transaction; it ends where the connection does, with an empty one. */
async function transaction(to: readonly string[], from = 'sender@example.com'): Promise<string[]> {
  const commands = [`MAIL FROM:<${from}>`, ...to.map((address) => `RCPT TO:<${address}>`), 'DATA', 'x\r\n.']
  const codes: string[] = []
  for (const command of commands) {
    if (command === 'x\r\n.' && codes.at(-1) !== '354') break
    codes.push((await client.command(command)).slice(0, 9))
    if (codes.at(-1) === '') break
    if (codes.at(-1)!.startsWith('354')) codes[codes.length - 1] = '354'
  }
  return codes
}

const [mailOk, rcptOk, dotOk] = ['250 2.1.0', '250 2.1.5', '250 2.0.0']

describe('a fault at a command', () => {
  it.each<[string, string[], string[], number]>([
    ['RCPT', ['rcpt-450@example.org', good], [mailOk, '450 4.1.1', rcptOk, '354', dotOk], 1],
    ['RCPT, the only one', ['rcpt-550@example.org'], [mailOk, '550 5.1.1', '554 5.5.1'], 0],
    ['DATA', [good, 'data-452@example.org'], [mailOk, rcptOk, rcptOk, '452 4.3.0'], 0],
    ['the final dot', ['dot-554-x@example.org', good], [mailOk, rcptOk, rcptOk, '354', '554 5.6.0'], 0],
    [
      'the final dot, twice asked for',
      ['dot-451@example.org', 'dot-554@example.org'],
      [mailOk, rcptOk, rcptOk, '354', '451 4.6.0'],
      0,
    ],
  ])('is answered at %s and the session goes on', async (_, to, codes, messages) => {
    expect(await transaction(to)).toEqual(codes)
    expect(sandbox.counts.messages).toBe(messages)
    await client.command('RSET')
    expect(await transaction([good])).toEqual([mailOk, rcptOk, '354', dotOk])
  })

  it('is asked for at MAIL by the sender', async () => {
    expect((await transaction([good], 'mail-451@example.com'))[0]).toBe('451 4.7.1')
    expect(await transaction([good])).toContain(dotOk)
  })

  it('is asked for at RCPT by the sender, for all recipients', async () => {
    const codes = await transaction([good, 'other@example.org'], 'rcpt-550@example.com')
    expect(codes).toEqual([mailOk, '550 5.1.1', '550 5.1.1', '554 5.5.1'])
  })

  it.each(['rcpt-421@example.org', 'reply-421@example.org', 'dot-421@example.org'])(
    'closes the connection after the 421 of %s',
    async (address) => {
      const codes = await transaction([address])
      expect(codes).toContain('421 4.3.2')
      await client.ended()
      expect(sandbox.counts.messages).toBe(0)
    },
  )

  it('happens only the first times where it was asked for so', async () => {
    const address = 'dot-451-first-1@example.org'
    expect((await transaction([address])).at(-1)).toBe('451 4.6.0')
    expect((await transaction([address])).at(-1)).toBe(dotOk)
  })
})

describe('a dropped connection', () => {
  it.each<[string, string[], number]>([
    ['drop-rcpt@example.org', [mailOk, ''], 0],
    ['drop-data@example.org', [mailOk, rcptOk, ''], 0],
    ['drop-body@example.org', [mailOk, rcptOk, '354', ''], 0],
    ['drop-dot@example.org', [mailOk, rcptOk, '354', ''], 0],
    ['drop-dot-kept@example.org', [mailOk, rcptOk, '354', ''], 1],
  ])('ends the transaction of %s', async (address, codes, messages) => {
    expect(await transaction([address])).toEqual(codes)
    expect(sandbox.counts.messages).toBe(messages)
  })

  it('comes in the middle of a body that is still being sent', async () => {
    for (const command of ['MAIL FROM:<a@example.com>', 'RCPT TO:<drop-body@example.org>', 'DATA'])
      await client.command(command)
    client.send('the beginning\r\n')
    await client.ended()
  })

  it('comes after the replies to what was pipelined before', async () => {
    client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<drop-rcpt@example.org>\r\nDATA\r\n')
    expect(await client.reply()).toMatch(/^250 2\.1\.0/)
    expect(await client.reply()).toBe('')
  })
})

describe('a session that hangs', () => {
  it.each(['hang-rcpt@example.org', 'hang-data@example.org', 'hang-dot@example.org'])(
    'answers nothing after %s, and ends when the client leaves',
    async (address) => {
      const hanging = transaction([address])
      const other = await submitter(sandbox)
      expect(await other.message()).toMatch(/^250 /)
      other.close()
      const silence = new Promise((resolve) => setTimeout(resolve, 100, 'silence'))
      expect(await Promise.race([hanging, silence])).toBe('silence')
      client.close()
      await hanging
      expect(sandbox.counts.messages).toBe(1)
      while (sandbox.connections > 0) await new Promise(setImmediate)
    },
  )
})

describe('a slow recipient', () => {
  it('gets each further reply of its transaction late, in order', async () => {
    const started = performance.now()
    client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<slow-60@example.org>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n')
    const replies: string[] = []
    for (let i = 0; i < 5; i++) replies.push((await client.reply()).slice(0, 3))
    expect(replies).toEqual(['250', '250', '354', '250', '250'])
    // Timers may fire a millisecond early.
    expect(performance.now() - started).toBeGreaterThanOrEqual(3 * 59)
  })
})

describe('a flaky recipient', () => {
  it('is refused with 450 as often as asked for', async () => {
    await client.command('MAIL FROM:<a@example.com>')
    const codes = new Map<string, number>()
    for (let i = 0; i < 200; i++) {
      const code = (await client.command(`RCPT TO:<flaky-50-${i}@example.org>`)).slice(0, 3)
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    expect([...codes.keys()].sort()).toEqual(['250', '450'])
    expect(codes.get('450')).toBeGreaterThan(70)
    expect(codes.get('450')).toBeLessThan(130)
  })
})
