/** Lines that no client sends, from a seed: each gets one reply, well-formed, and the session still takes mail. */
import { expect, it } from 'vitest'
import { SmtpClient } from '../support/smtp-client.ts'
import { runListener } from './running-listener.ts'

const seeds = [1, 2, 3, 4, 5]
const linesPerSeed = 200

/** Mulberry32: small, and the same on every machine. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const lines = [
  'EHLO client.example.com',
  'HELO client.example.com',
  'MAIL FROM:<a@example.com> SIZE=10 BODY=8BITMIME RET=FULL ENVID=x',
  'MAIL FROM:<> SMTPUTF8',
  'RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@example.org',
  'RCPT TO:<"a b"@example.org>',
  'RSET',
  'NOOP',
  'VRFY a',
  'HELP',
  'AUTH PLAIN AGFsaWNlAHNlY3JldA==',
  'STARTTLS',
  'XCLIENT ADDR=1.2.3.4',
  '',
]

class LineMaker {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = random(seed)
  }

  /** A known line with some of it cut, doubled, or replaced by any octets but CR and LF. */
  next(): Buffer {
    let line: Buffer = Buffer.from(lines[this.#below(lines.length)]!, 'utf8')
    const mutations = this.#below(4)
    for (let i = 0; i < mutations; i++) line = this.#mutate(line)
    return line.subarray(0, 2000)
  }

  #mutate(line: Buffer): Buffer {
    const at = this.#below(line.length + 1)
    const end = at + this.#below(line.length - at + 1)
    switch (this.#below(4)) {
      case 0:
        return Buffer.concat([line.subarray(0, at), line.subarray(end)])
      case 1:
        return Buffer.concat([line.subarray(0, end), line.subarray(at)])
      case 2:
        return Buffer.concat([line.subarray(0, at), this.#octets(), line.subarray(end)])
      default:
        return Buffer.from(line.toString('latin1').replace(/[ :=]/, '  '), 'latin1')
    }
  }

  #octets(): Buffer {
    const octets = Array.from({ length: this.#below(20) }, () => this.#below(256))
    return Buffer.from(octets.filter((octet) => octet !== 0x0a && octet !== 0x0d))
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}

it.each(seeds)('seed %i: every line gets one reply and the session lives', async (seed) => {
  const running = await runListener()
  const client = await SmtpClient.greet({ port: running.port })
  const maker = new LineMaker(seed)
  const sent: string[] = []
  try {
    for (let i = 0; i < linesPerSeed; i++) {
      const line = maker.next()
      // What has its own meaning for the session is tested elsewhere.
      if (/^(DATA|QUIT|BDAT)/i.test(line.toString('latin1'))) continue
      sent.push(JSON.stringify(line.toString('latin1')))
      client.send(Buffer.concat([line, Buffer.from('\r\n')]))
      const reply = await client.reply()
      expect(reply, `after ${sent.at(-1)}`).toMatch(
        /^[2-5]\d\d[ -][\x20-\x7e]*(\n[2-5]\d\d[ -][\x20-\x7e]*)*$/,
      )
      expect(reply, `after ${sent.at(-1)}`).not.toMatch(/^421/)
      if (!/^250[ -]relay/.test(reply)) expect(reply).toMatch(/^([245])\d\d \1\.\d+\.\d+ /)
      if (i % 20 === 19) {
        await client.command('EHLO client.example.com')
        expect(await client.message()).toMatch(/^250 /)
      }
    }
    expect(client.unread).toBe('')
    expect(running.logged).toEqual([])
  } finally {
    client.close()
  }
})
