import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Config } from '../../src/config/schema.ts'
import { Authentication } from '../../src/smtp/authentication.ts'
import { hashPassword } from '../../src/smtp/password.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { type RunningListener, runListener } from './running-listener.ts'

let users: Config['access']['users']
beforeAll(async () => {
  users = [
    { name: 'alice', passwordHash: await hashPassword('secret'), senders: ['alice@example.com'] },
    { name: 'jürgen', passwordHash: await hashPassword('grün'), senders: ['*'] },
  ]
})

const clients: SmtpClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
async function greet(running: RunningListener, localAddress = '127.0.0.1'): Promise<SmtpClient> {
  const client = await SmtpClient.greet({ port: running.port, localAddress })
  clients.push(client)
  return client
}
const run = () => runListener({ config: { authWithoutTls: true }, access: { networks: [], users } })
const plain = (user: string, password: string) =>
  `AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`

describe('a login', () => {
  it('names the user in the session of its messages, and the password nowhere', async () => {
    const running = await run()
    const client = await greet(running)
    expect(await client.command(plain('alice', 'secret'))).toBe('235 2.7.0 Authentication successful')
    await client.command('MAIL FROM:<alice@example.com>')
    await client.command('RCPT TO:<b@example.org>')
    await client.command('DATA')
    await client.command('.')
    expect(running.reception.messages[0]!.transaction.session).toMatchObject({
      client: { user: 'alice' },
      protocol: 'ESMTPA',
    })
    expect(JSON.stringify([running.events, running.logged])).not.toContain('secret')
  })

  it('takes names and passwords in either Unicode spelling', async () => {
    const running = await run()
    const client = await greet(running)
    expect(await client.command(plain('ju\u0308rgen', 'gru\u0308n'))).toMatch(/^235 /)
  })

  it('is case-sensitive', async () => {
    const authentication = new Authentication(users, { clock: systemClock })
    const credentials = { address: '192.0.2.1', user: 'alice', password: 'Secret' }
    expect(await authentication.login(credentials)).toMatchObject({ kind: 'refused', reply: { code: 535 } })
    expect(await authentication.login({ ...credentials, user: 'Alice', password: 'secret' })).toMatchObject({
      kind: 'refused',
    })
  })

  it('records a refusal without the name that was tried', async () => {
    const running = await run()
    const client = await greet(running)
    await client.command(plain('my password', 'wrong'))
    expect(running.events).toMatchObject([
      { event: 'rejected', command: 'AUTH', client: { user: null }, reply: { code: 535, enhanced: '5.7.8' } },
    ])
    expect(JSON.stringify([running.events, running.logged])).not.toContain('my password')
  })
})

describe('brute force', () => {
  it('is dropped, and other addresses and users are not affected', async () => {
    const running = await run()
    const attackers = await Promise.all(Array.from({ length: 30 }, () => greet(running, '127.0.0.2')))
    const outcomes: string[] = []
    for (const [index, attacker] of attackers.entries()) {
      void attacker.command(plain(`user${index}`, 'guess')).then((reply) => outcomes.push(reply.slice(0, 9)))
    }
    while (outcomes.filter((reply) => reply === '421 4.7.0').length < 20) await new Promise(setImmediate)
    expect(outcomes.filter((reply) => reply === '535 5.7.8').length).toBeLessThanOrEqual(10)
    const other = await greet(running)
    expect(await other.command(plain('alice', 'secret'))).toMatch(/^235 /)
    expect(await (await greet(running, '127.0.0.2')).command(plain('alice', 'secret'))).toMatch(
      /^421 4\.7\.0 /,
    )
  })

  it('does not stop the relay from answering', async () => {
    const running = await run()
    const attackers = await Promise.all(Array.from({ length: 10 }, () => greet(running, '127.0.0.2')))
    const other = await greet(running)
    const pending = attackers.map((attacker) => attacker.command(plain('alice', 'guess')))
    let answered = 0
    for (const attempt of pending) void attempt.then(() => answered++)
    for (let i = 0; i < 5; i++) expect(await other.command('NOOP')).toMatch(/^250 /)
    expect(answered).toBeLessThan(10)
  })
})
