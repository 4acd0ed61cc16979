/** A rule that requires TLS, and a smart host without STARTTLS: the message waits, the others go on in clear. */
import { expect, it } from 'vitest'
import { quickRetries, startRawHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { ehlo } from '../support/raw-server.ts'
import { connectorTo } from '../support/relay-process.ts'
import { letter, submit } from '../support/submit.ts'

const inClear = {
  ...{ smartHostAuthMechanism: 'none', user: null, password: null },
  ...{ requireTLS: false, tlsAuthLevel: undefined },
}

it('keeps what requires TLS from a host that offers none, and says why when its time is over', async () => {
  const host = await startRawHost({ script: { EHLO: ehlo('PIPELINING', '8BITMIME', 'SIZE') } })
  const relay = await startRelay({
    connectors: [connectorTo(host.port, inClear)],
    policy: {
      rules: [
        {
          name: 'confidential mail goes over TLS',
          conditions: { recipientDomainIs: ['bank.example'] },
          actions: { requireTLS: true },
        },
      ],
    },
    delivery: { ...quickRetries, expireAfter: '8s', delayNoticeAfter: '1h' },
  })
  const confidential = await submit(relay, { to: ['a@bank.example'], content: letter('Confidential') })
  const plain = await submit(relay, { to: ['user@example.org'], content: letter('Plain') })
  await relay.line((line) => line.event === 'delivered')
  await relay.line((line) => line.event === 'deferred' && line.attempts === 2)
  expect(await relay.queue()).toMatchObject([
    {
      state: expect.stringMatching(/deferred|ready|leased/),
      lastError: expect.stringContaining('451 4.7.30 The message requires TLS'),
      recipients: [{ address: 'a@bank.example', state: 'pending' }],
    },
  ])
  expect((await relay.connectors())[0]).toMatchObject({ state: 'ready', fault: null })

  await relay.line((line) => line.event === 'expired')
  await relay.line((line) => line.event === 'delivered' && line.from === '')
  const report = host.messages[1]!.data.toString()
  expect(report).toContain('Status: 4.7.30\r\n')
  expect(report).toContain('a@bank.example')
  const said = host.sessions.map(({ clear }) => clear).join('')
  expect(said).not.toMatch(/RCPT TO:<a@bank\.example>/)
  expect(said).not.toContain('Confidential')
  expect(await balanceOf({ accepted: [confidential, plain], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 1, bounced: 1 }),
  )
}, 40_000)
