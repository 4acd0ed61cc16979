/**
 * A connector that requires TLS and a login says nothing of a message, and nothing of its password, to a host that
 * does not give it both. What reached the host is recorded byte for byte, in clear and inside TLS.
 */
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'
import { startRawHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { ehlo, hangUp, type RawServer, type RawServerOptions } from '../support/raw-server.ts'
import { connectorTo } from '../support/relay-process.ts'
import { letter, submit } from '../support/submit.ts'

const certificates = makeCertificates()
afterAll(() => certificates.remove())

const withTls = ['PIPELINING', '8BITMIME', 'STARTTLS']

interface Case {
  readonly host: RawServerOptions
  readonly state: 'retry' | 'suspended'
  readonly fault: string
  readonly reason: RegExp
}

const cases: Readonly<Record<string, Case>> = {
  'does not offer STARTTLS': {
    host: { script: { EHLO: ehlo('PIPELINING', 'AUTH PLAIN LOGIN'), STARTTLS: '502 5.5.1 Not here\r\n' } },
    ...{ state: 'retry', fault: 'tls', reason: /No STARTTLS at the smart host/ },
  },
  'refuses STARTTLS': {
    host: { script: { EHLO: ehlo(...withTls), STARTTLS: '454 4.7.0 TLS not available\r\n' } },
    ...{ state: 'retry', fault: 'tls', reason: /TLS not available/ },
  },
  'closes instead of a handshake': {
    host: { script: { EHLO: ehlo(...withTls), STARTTLS: ['220 2.0.0 Go ahead\r\n', hangUp] } },
    ...{ state: 'retry', fault: 'tls', reason: /TLS with the smart host failed/ },
  },
  'has a certificate for another name': {
    host: { tls: certificates.wrongName },
    ...{ state: 'retry', fault: 'tls', reason: /carries another name/ },
  },
  'has a certificate that has expired': {
    host: { tls: certificates.expired },
    ...{ state: 'retry', fault: 'tls', reason: /has expired/ },
  },
  'has a certificate that nobody known has issued': {
    host: { tls: certificates.selfSigned },
    ...{ state: 'retry', fault: 'tls', reason: /is self-signed/ },
  },
  'does not offer AUTH': {
    host: { script: { EHLO: ehlo(...withTls) }, tls: certificates.good },
    ...{ state: 'suspended', fault: 'auth-missing', reason: /the smart host offers no AUTH/ },
  },
  'offers no AUTH mechanism that is ours': {
    host: { script: { EHLO: ehlo(...withTls, 'AUTH GSSAPI NTLM') }, tls: certificates.good },
    ...{ state: 'suspended', fault: 'auth-missing', reason: /offers only AUTH GSSAPI NTLM/ },
  },
}

it.each(Object.entries(cases))('sends nothing to a host that %s', async (_what, expected) => {
  const { state, fault, reason } = expected
  const host = await startRawHost(expected.host)
  const relay = await startRelay({
    connectors: [
      connectorTo(host.port, {
        tlsAuthLevel: 'domainValidation',
        tlsDomain: 'smtp.example.com',
        caFile: join(certificates.directory, 'root.pem'),
      }),
    ],
    delivery: { connectionRetry: ['1h'] },
  })
  const accepted = [
    await submit(relay, { to: ['user@example.org'], content: letter('Confidential') }),
    await submit(relay, { to: ['other@example.org'], content: letter('Confidential') }),
  ]
  const line = await relay.line((one) => one.event === 'connector')
  expect(line).toMatchObject({ level: 'warn', state, fault, reply: expect.stringMatching(reason) })
  expectNothingSaid(host)

  expect((await relay.connectors())[0]).toMatchObject({
    ...{ state, fault, lastError: expect.stringMatching(reason) },
  })
  const metrics = await relay.metrics()
  expect(metrics).toContain(`relay_connector_state{connector="1",state="${state}"} 1`)
  expect(metrics).toContain(`relay_connector_faults_total{connector="1",fault="${fault}"} 1`)
  expect((await relay.queueCommand('list')).stdout).toMatch(reason)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ queued: 2 }))
})

it('relays through the same connector once the certificate is right', async () => {
  const host = await startRawHost({ tls: certificates.good })
  const relay = await startRelay({
    connectors: [
      connectorTo(host.port, {
        tlsAuthLevel: 'domainValidation',
        tlsDomain: 'smtp.example.com',
        caFile: join(certificates.directory, 'root.pem'),
      }),
    ],
  })
  const accepted = [await submit(relay, { to: ['user@example.org'], content: letter('Confidential') })]
  await relay.line((line) => line.event === 'delivered')
  expect(host.session.clear.match(/^[A-Z]+/gm)?.slice(0, 2)).toEqual(['EHLO', 'STARTTLS'])
  expect(host.session.clear).not.toMatch(/AUTH|MAIL|RCPT|DATA|Confidential/)
  expect(host.session.secure).toMatch(/AUTH PLAIN[\s\S]*MAIL FROM[\s\S]*Confidential/)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
})

function expectNothingSaid(host: RawServer): void {
  expect(host.sessions.length).toBeGreaterThan(0)
  for (const { commands } of host.sessions)
    for (const command of commands) expect(command).toMatch(/^(EHLO relay\.example\.com|STARTTLS|QUIT)$/)
  const bytes = host.sessions.map(({ clear, secure }) => clear + secure).join('')
  for (const secret of ['sandbox', Buffer.from('sandbox').toString('base64'), 'example.org', 'Confidential'])
    expect(bytes).not.toContain(secret)
}
