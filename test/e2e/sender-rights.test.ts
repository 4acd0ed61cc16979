/** Who may send as whom, through the whole relay: in the envelope at MAIL, in the From field at the end of DATA. */
import { describe, expect, it, vi } from 'vitest'
import { hashPassword } from '../../src/smtp/password.ts'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { SmtpClient } from '../support/smtp-client.ts'

async function clientOf(relay: RelayProcess): Promise<SmtpClient> {
  const client = await SmtpClient.connect({ port: relay.port })
  await client.reply()
  await client.command('EHLO client.example.com')
  return client
}

/** The reply to MAIL or, where that is accepted, to the final dot. */
async function send(client: SmtpClient, from: string, fields: readonly string[]): Promise<string> {
  const mail = await client.command(`MAIL FROM:<${from}>`)
  if (!mail.startsWith('250 ')) return mail
  await client.command('RCPT TO:<b@example.org>')
  await client.command('DATA')
  return client.command(`${fields.join('\r\n')}\r\n\r\nbody\r\n.`)
}

const network = { network: '127.0.0.0/8', senders: ['*@app.example.com'] }
const notAs = (what: string) => `550 5.7.60 Client does not have permissions to send as this sender: ${what}`

describe('a client of a network with senders of its own', () => {
  it('writes in their name alone', async () => {
    const host = await startHost()
    const relay = await startRelay({ access: { networks: [network] }, connectors: [connectorTo(host.port)] })
    const client = await clientOf(relay)
    const own = 'From: Shop <shop@app.example.com>'
    expect(await send(client, 'a@example.com', [own])).toBe('553 5.7.1 You may not send as <a@example.com>')
    expect(await send(client, 'a@app.example.com', ['From: Boss <boss@example.com>'])).toBe(
      notAs('boss@example.com'),
    )
    expect(await send(client, '', ['From: boss@example.com'])).toBe(notAs('boss@example.com'))
    expect(await send(client, 'a@app.example.com', [own, 'Sender: boss@example.com'])).toBe(
      notAs('boss@example.com'),
    )
    expect(await send(client, 'a@app.example.com', ['Subject: nobody'])).toBe(
      notAs('the message has no From field'),
    )
    expect(await send(client, 'a@app.example.com', [own])).toMatch(/^250 2\.6\.0 /)
    expect(await send(client, '', [own])).toMatch(/^250 2\.6\.0 /)
    client.close()
    await host.received(2)
    await vi.waitFor(() => {
      const rejected = relay.lines.filter(({ event }) => event === 'rejected')
      expect(rejected.map(({ command }) => command)).toEqual(['MAIL', 'DATA', 'DATA', 'DATA', 'DATA'])
    })
  })

  it('writes for others where the From field is not checked', async () => {
    const host = await startHost()
    const access = { networks: [network], fromField: 'ignore' }
    const relay = await startRelay({ access, connectors: [connectorTo(host.port)] })
    const client = await clientOf(relay)
    expect(await send(client, 'a@example.com', [])).toMatch(/^553 5\.7\.1 /)
    expect(await send(client, 'a@app.example.com', ['From: boss@example.com'])).toMatch(/^250 /)
    client.close()
    await host.received(1)
  })
})

it('holds a user to its own senders, also in a network that may use all', async () => {
  const host = await startHost()
  const passwordHash = await hashPassword('secret')
  const relay = await startRelay({
    listeners: [{ name: 'a', port: 0, tls: 'off', authWithoutTls: true }],
    access: {
      networks: ['127.0.0.0/8'],
      users: [{ name: 'alice', passwordHash, senders: ['alice@example.com'] }],
    },
    connectors: [connectorTo(host.port)],
  })
  const client = await clientOf(relay)
  expect(await send(client, 'a@example.org', ['From: boss@example.com'])).toMatch(/^250 /)
  const credentials = Buffer.from('\0alice\0secret').toString('base64')
  expect(await client.command(`AUTH PLAIN ${credentials}`)).toMatch(/^235 /)
  expect(await send(client, 'alice@example.com', ['From: boss@example.com'])).toBe(notAs('boss@example.com'))
  expect(await send(client, 'alice@example.com', ['From: Alice <ALICE@example.com>'])).toMatch(/^250 /)
  client.close()
  await host.received(2)
})
