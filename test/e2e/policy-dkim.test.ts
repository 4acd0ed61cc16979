/**
 * Signatures of what policy made of a message: each form is signed as it leaves, and OpenDKIM finds each right. Where it is
 * missing the tests are skipped, and fail in CI.
 */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dkimRecord } from '../../src/message/dkim-record.ts'
import { closeAfterwards } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { skipsOpenDkim, verifyWithOpenDkim } from '../support/opendkim.ts'
import { messageTo, startPolicyRelay, withoutTrace } from '../support/policy-relay.ts'
import { submit } from '../support/submit.ts'

const keys = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ed: generateKeyPairSync('ed25519').privateKey,
}
const records = Object.entries(keys).map(([selector, key]) =>
  dkimRecord({ domain: 'example.com', selector, publicKey: createPublicKey(key) }),
)
const passes = ['pass rsa-sha256 example.com', 'pass ed25519-sha256 example.com']

function dkim(): Record<string, unknown>[] {
  const directory = mkdtempSync(join(tmpdir(), 'relay-dkim-keys-'))
  closeAfterwards(() => rmSync(directory, { recursive: true }))
  return Object.entries(keys).map(([selector, key]) => {
    const file = join(directory, `${selector}.pem`)
    writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    return { domain: 'example.com', selector, key: { file } }
  })
}

const rules = [
  {
    name: 'External',
    conditions: { recipientDomainIs: ['example.net'] },
    actions: {
      disclaimer: { text: 'Vertraulich: für Sie allein.', html: '<p>Vertraulich: f&uuml;r Sie allein.</p>' },
      prefixSubject: '[Grüße] ',
      addCc: ['copy@example.net'],
    },
  },
  {
    name: 'Newsletter',
    conditions: { recipientDomainIs: ['example.edu'] },
    actions: {
      rewriteFrom: 'news@example.com',
      stripReceived: true,
      removeHeaders: ['X-Mailer'],
      setHeaders: [{ name: 'List-Id', value: '<news.example.com>' }],
    },
  },
  {
    name: 'Another author',
    conditions: { recipientIs: ['strange@example.org'] },
    actions: { rewriteFrom: 'somebody@example.net' },
  },
]

const fields = [
  'Received: from a by b; Mon, 5 Jan 2026 08:00:00 +0000',
  'From: Sender <sender@example.com>',
  'To: Anna <anna@example.org>',
  'Subject: An\r\n offer',
  'Message-ID: <1@example.com>',
  'MIME-Version: 1.0',
  'X-Mailer: none',
]
const plain = `Content-Type: text/plain; charset=us-ascii\r\n\r\n${'.A line  with \tblanks \r\n'.repeat(3)}`
const both = [
  'Content-Type: multipart/alternative; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Gr=C3=BC=C3=9Fe',
  '--b',
  'Content-Type: text/html; charset=iso-8859-1',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.from('<html><body><p>Gr\xfc\xdfe</p></body></html>', 'latin1').toString('base64'),
  '--b--',
  '',
].join('\r\n')

describe.skipIf(skipsOpenDkim)('OpenDKIM', { timeout: 60_000 }, () => {
  it.each([
    ['of one part', plain],
    ['of two parts', both],
    ['that is large', `Content-Type: text/plain\r\n\r\n${'A line of the large one\r\n'.repeat(30_000)}`],
  ])('finds right the signatures of all forms of a message %s', async (_, rest) => {
    const { relay, host } = await startPolicyRelay({ rules, dkim: dkim() })
    const content = `${fields.join('\r\n')}\r\n${rest}`
    const to = ['anna@example.org', 'bert@example.net', 'carl@example.edu', 'strange@example.org']
    const accepted = [await submit(relay, { to, content })]
    await host.received(4)
    const forms = to.map((recipient) => messageTo(host, recipient))
    const [own, external, newsletter, strange] = forms.map(withoutTrace)
    expect(own!.endsWith(`\r\n${content}`)).toBe(true)
    expect(external).toMatch(/^Subject: =\?UTF-8\?.+\?= An\r\n offer\r$/m)
    expect(external).not.toContain(rest)
    expect(newsletter).toContain('From: Sender <news@example.com>\r\n')
    expect(newsletter).not.toMatch(/^(Received|X-Mailer):/m)
    // It is not our domain's author any more.
    expect(strange).not.toContain('DKIM-Signature')
    expect(
      await verifyWithOpenDkim(
        forms.map(({ raw }) => raw),
        records,
      ),
    ).toEqual([passes, passes, passes, []])
    const copied = { from: 'sender@example.com', to: ['copy@example.net'] }
    expect(await balanceOf({ accepted: [...accepted, copied], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 5 }),
    )
  })
})
