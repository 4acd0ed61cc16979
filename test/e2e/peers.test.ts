/**
 * Clients that this project did not write, through the relay to the smart host. Where they are missing the tests are
 * skipped, and fail in CI.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { hashPassword } from '../../src/smtp/password.ts'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { type AcceptedMail, balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'

const run = promisify(execFile)

function find(program: string): string | null {
  const paths = (process.env.PATH ?? '').split(':').concat('/usr/sbin')
  return paths.map((path) => join(path, program)).find((path) => existsSync(path)) ?? null
}
const smtpSource = find('smtp-source')
const swaks = find('swaks')
const mayBeMissing = !process.env.CI

describe.skipIf(smtpSource === null && mayBeMissing)('smtp-source', () => {
  it.each([
    ['a connection for each message', []],
    ['connections that stay', ['-d']],
  ])('has five hundred messages of twenty sessions relayed, over %s', async (_how, options) => {
    const host = await startHost()
    const relay = await startRelay({ connectors: [connectorTo(host.port)] })
    const load = ['-s', '20', '-m', '500', '-l', '4096', '-f', 'sender@example.com']
    // -N puts a number before each recipient, counted from 1 over all sessions.
    await run(smtpSource!, [...load, ...options, '-N', '-t', 'user@example.org', `127.0.0.1:${relay.port}`])
    const accepted = Array.from({ length: 500 }, (_, index) => ({
      from: 'sender@example.com',
      to: [`${index + 1}user@example.org`],
    }))
    await host.received(500)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 500 }),
    )
  })
})

describe.skipIf(swaks === null && mayBeMissing)('swaks', () => {
  it('has mail relayed that it submits inside TLS, logged in with PLAIN and with LOGIN', async () => {
    const host = await startHost()
    const users = [
      { name: 'alice', passwordHash: await hashPassword('secret'), senders: ['alice@example.com'] },
    ]
    const relay = await startRelay({
      listeners: [{ name: 'submission', port: 0, tls: 'required' }],
      access: { networks: [], users },
      connectors: [connectorTo(host.port)],
    })
    const accepted: AcceptedMail[] = []
    for (const mechanism of ['PLAIN', 'LOGIN']) {
      const to = [`${mechanism}-1@example.org`, `${mechanism}-2@example.org`]
      const { stdout } = await run(swaks!, [
        ...['--server', `127.0.0.1:${relay.port}`, '--from', 'alice@example.com', '--to', to.join()],
        ...['--tls', '--auth', mechanism, '--auth-user', 'alice', '--auth-password', 'secret'],
      ])
      expect(stdout).toMatch(/250 2\.6\.0 Queued as /)
      accepted.push({ from: 'alice@example.com', to })
    }
    await host.received(2)
    for (const { raw } of host.messages) expect(raw.toString()).toMatch(/^Received: [\s\S]*? with ESMTPSA /)
    for (const { client } of relay.events('accepted')) expect(client).toMatchObject({ user: 'alice' })
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 4 }))
  })
})
