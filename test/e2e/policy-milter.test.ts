/**
 * Mail filters of others between the relay's clients and their mail: OpenDKIM signs as a milter, rspamd judges as a milter
 * and by HTTP. Where one is missing its tests are skipped, and fail in CI.
 */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dkimRecord } from '../../src/message/dkim-record.ts'
import { Daemon, findProgram } from '../support/daemon.ts'
import { closeAfterwards } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { skipsOpenDkim, verifyWithOpenDkim } from '../support/opendkim.ts'
import { logged, messageTo, startPolicyRelay, withoutTrace } from '../support/policy-relay.ts'
import { gtube, rspamdAvailable, startRspamd } from '../support/rspamd.ts'
import { letter, offer, submit } from '../support/submit.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const records = [dkimRecord({ domain: 'example.com', selector: 'test', publicKey })]

async function startOpenDkim(): Promise<{ address: string }> {
  const socketIn = (directory: string): string => join(directory, 'milter.socket')
  const daemon = await Daemon.start({
    async command(directory) {
      const key = join(directory, 'key.pem')
      await writeFile(key, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 })
      const lines = [
        ...[`Socket local:${socketIn(directory)}`, `KeyFile ${key}`, 'Domain example.com', 'Selector test'],
        ...[
          'Mode s',
          'Canonicalization relaxed/relaxed',
          'RequireSafeKeys false',
          'Syslog no',
          'Background no',
        ],
      ]
      await writeFile(join(directory, 'opendkim.conf'), `${lines.join('\n')}\n`)
      return [findProgram('opendkim')!, '-f', '-x', join(directory, 'opendkim.conf')]
    },
    async isReady(directory) {
      const socket = connect(socketIn(directory))
      await once(socket, 'connect')
      socket.destroy()
      return true
    },
  })
  closeAfterwards(() => daemon.destroy())
  return { address: `unix:${socketIn(daemon.directory)}` }
}

const large = letter('A large one', '.A line with a dot, \tand blanks. \r\n'.repeat(30_000))

describe.skipIf(skipsOpenDkim)('OpenDKIM as a milter', { timeout: 60_000 }, () => {
  it('signs mail on its way, and a verifier finds it right at the smart host', async () => {
    const { address } = await startOpenDkim()
    const { relay, host } = await startPolicyRelay({ checkers: [{ name: 'dkim', kind: 'milter', address }] })
    const mails = [letter('A letter'), letter('No body', ''), large]
    const to = mails.map((_, index) => `${index}@example.org`)
    const accepted = []
    for (const [index, content] of mails.entries())
      accepted.push(await submit(relay, { to: [to[index]!], content }))
    await host.received(mails.length)
    const arrived = to.map((recipient) => messageTo(host, recipient))
    for (const [index, message] of arrived.entries()) {
      const text = withoutTrace(message)
      expect(text).toMatch(/^DKIM-Signature: /)
      expect(text.endsWith(`\r\n${mails[index]}`)).toBe(true)
    }
    expect(
      await verifyWithOpenDkim(
        arrived.map(({ raw }) => raw),
        records,
      ),
    ).toEqual(mails.map(() => ['pass rsa-sha256 example.com']))
    expect(await logged(relay, 'checked', 3)).toMatchObject(
      mails.map(() => ({ checker: 'dkim', verdict: 'pass', note: 'changed header' })),
    )
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 3 }))
  })

  it('signs what the filter before it made of the message', async () => {
    const { address } = await startOpenDkim()
    const rspamd = await startRspamd()
    closeAfterwards(() => rspamd.daemon.destroy())
    const { relay, host } = await startPolicyRelay({
      checkers: [
        { name: 'spam', kind: 'milter', address: rspamd.milter },
        { name: 'dkim', kind: 'milter', address },
      ],
    })
    const content = `X-Say: subject\r\n${large}`
    const accepted = [await submit(relay, { to: ['anna@example.org'], content })]
    await host.received(1)
    const message = messageTo(host, 'anna@example.org')
    expect(withoutTrace(message)).toMatch(/^DKIM-Signature: (?:.*\r\n)+Subject: \[SPAM\] A large one\r\n/)
    expect(await verifyWithOpenDkim([message.raw], records)).toEqual([['pass rsa-sha256 example.com']])
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
  })
})

describe.skipIf(!rspamdAvailable).each(['milter', 'HTTP'])('rspamd by %s', { timeout: 60_000 }, (way) => {
  async function start() {
    const rspamd = await startRspamd()
    closeAfterwards(() => rspamd.daemon.destroy())
    const checker =
      way === 'milter'
        ? { name: 'spam', kind: 'milter', address: rspamd.milter }
        : { name: 'spam', kind: 'rspamd', url: rspamd.url }
    return startPolicyRelay({
      checkers: [checker],
      rules: [
        {
          name: 'Tell',
          conditions: { headerPresent: ['X-Spam'] },
          actions: { setHeaders: [{ name: 'X-Seen', value: 'spam' }] },
        },
      ],
    })
  }
  const saying = (word: string): string => `X-Say: ${word}\r\n${letter('A letter')}`

  it('refuses spam, defers what it wants to see again, drops what it discards', async () => {
    const { relay, host } = await start()
    const replies = []
    for (const content of [letter('Spam', `${gtube}\r\n`), saying('later')])
      replies.push((await offer(relay, { to: ['anna@example.org'], content })).reply)
    expect(replies).toEqual(['554 5.7.1 Gtube pattern', '451 4.7.1 Come back later'])
    const accepted = [await submit(relay, { to: ['bert@example.org'], content: saying('discard') })]
    expect(await logged(relay, 'dropped')).toMatchObject([{ by: 'spam', recipients: ['bert@example.org'] }])
    const verdicts = (await logged(relay, 'checked', 3)).map(({ verdict }) => verdict)
    expect(verdicts).toEqual(['reject', 'defer', 'drop'])
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ removed: 1 }))
  })

  it('lets clean mail pass, with its field where it adds one, and marks what may be spam before the rules see it', async () => {
    const { relay, host } = await start()
    const mails = { clean: letter('A letter'), known: saying('fields'), marked: saying('spam'), large }
    const accepted = []
    for (const [name, content] of Object.entries(mails))
      accepted.push(await submit(relay, { to: [`${name}@example.org`], content }))
    await host.received(4)
    const text = (name: string): string => withoutTrace(messageTo(host, `${name}@example.org`))
    expect(text('clean')).toBe(mails.clean)
    expect(text('large')).toBe(mails.large)
    expect(text('known')).toMatch(
      /^X-Top: top\r\n(?:.*\r\n)+X-Known: sender@example\.com known@example\.org /,
    )
    expect(text('marked')).toBe(mails.marked.replace('\r\n\r\n', '\r\nX-Spam: Yes\r\nX-Seen: spam\r\n\r\n'))
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 4 }))
  })
})
