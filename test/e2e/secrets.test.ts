/** A password, in whatever spelling, leaves the relay toward its smart host only: not in what it says, not in what it keeps. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { hashPassword } from '../../src/smtp/password.ts'
import { makeCertificates } from '../support/certificates.ts'
import { closeAfterwards, startHost, startRawHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo, type RelayProcess, runRelay } from '../support/relay-process.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { submit } from '../support/submit.ts'

const canaries = ['canary-of-the-smart-host', 'canary-that-is-wrong', 'canary-of-a-user', 'canary-mistyped']
const [right, wrong, users, mistyped] = canaries as [string, string, string, string]
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const spellings = canaries.flatMap((secret) => [
  secret,
  base64(secret),
  ...['sandbox', 'alice'].map((user) => base64(`\0${user}\0${secret}`)),
])

it('no password is in the log, the answers of the admin port, the data, or what the commands print', async () => {
  const certificates = makeCertificates()
  closeAfterwards(() => certificates.remove())
  const host = await startHost({ password: right })
  // A host that repeats in its refusal what it was told.
  const echo = await startRawHost({
    tls: certificates.good,
    script: { 'AUTH PLAIN': (line) => `535 5.7.8 Not with ${line} you do not\r\n` },
  })
  const secrets = { RIGHT: right, WRONG: wrong }
  const relay = await startRelay(
    {
      log: { level: 'debug' },
      listeners: [{ name: 'submission', port: 0, tls: 'starttls', authWithoutTls: true }],
      access: {
        users: [{ name: 'alice', passwordHash: await hashPassword(users), senders: ['*@example.com'] }],
      },
      connectors: [
        connectorTo(host.port, { password: { env: 'RIGHT' } }),
        connectorTo(echo.port, {
          ...{ id: 2, name: 'Echo', addressSpaces: ['example.net'], password: { env: 'WRONG' } },
        }),
      ],
    },
    secrets,
  )
  const accepted = [await submit(relay, { to: ['anna@example.org', 'bert@example.net'] })]
  await logIn(relay)
  await host.received(1)
  await relay.line((line) => line.event === 'connector' && line.state === 'suspended')
  expect(echo.session.secure).toContain(base64(`\0sandbox\0${wrong}`))
  expect(await balanceOf({ accepted, hosts: [host, echo], relays: [relay] })).toEqual(
    balanced({ delivered: 1, queued: 1 }),
  )

  const told: Record<string, string> = {
    log: JSON.stringify(relay.history) + relay.stderr.join('\n'),
    ...(await answersOf(relay)),
    ...(await printed(relay, secrets)),
    ...(await filesIn(join(relay.directory, 'data'))),
  }
  expect(Object.keys(told)).toEqual(expect.arrayContaining(['/metrics', 'check', 'queue/data.mdb']))
  const token = told['admin-token']!.trim()
  expect(token).toHaveLength(43)
  delete told['admin-token']
  const leaks = Object.entries(told).flatMap(([where, text]) =>
    [...spellings, token]
      .filter((spelling) => text.includes(spelling))
      .map((spelling) => `${where}: ${spelling}`),
  )
  expect(leaks).toEqual([])
})

it('no secret that is given or made while it runs is in what it says and keeps, also where it was refused', async () => {
  const certificates = makeCertificates()
  closeAfterwards(() => certificates.remove())
  const host = await startHost({ password: right })
  const relay = await startRelay({ connectors: [], log: { level: 'debug' }, tracking: { enabled: true } })
  const { cert, key } = certificates.client
  const login = { smartHostAuthMechanism: 'basicAuthRequireTLS', user: 'sandbox' }
  const settings = {
    ...{ addressSpaces: ['*'], smartHosts: ['127.0.0.1'], port: host.port, tlsAuthLevel: 'encryptionOnly' },
    protocolLogging: 'verbose',
  }
  const given = { ...settings, ...login, name: 'Given', password: right }
  const clientCertificate = { cert, key }
  const ovhcloud = '/1.0/email/exchange/here/service/here'
  const answers: Record<string, string> = {}
  const ask = async (code: number, method: string, path: string, body?: unknown) => {
    const answer = await relay.ask(method, path, body)
    expect([method, path, answer.code, answer.code === code ? '' : answer.json]).toEqual([
      method,
      path,
      code,
      '',
    ])
    answers[`${method} ${path} ${Object.keys(answers).length}`] = JSON.stringify(answer.json)
    return answer.json
  }

  await ask(201, 'POST', '/connectors', { ...given, clientCertificate })
  await ask(200, 'POST', '/connectors/1/test', {})
  await ask(200, 'POST', '/connectors/test', { ...given, name: 'Test', password: wrong })
  await ask(400, 'POST', '/connectors', { ...given, name: 'Other', password: [wrong] })
  await ask(400, 'POST', '/connectors', { ...given, name: 'Other', passwort: wrong })
  await ask(400, 'POST', '/connectors', {
    ...given,
    name: 'Other',
    clientCertificate: { cert: key, key: key },
  })
  await ask(400, 'PATCH', '/connectors/1', { version: 1, password: wrong })
  await ask(409, 'PUT', '/connectors/1/authentication', { version: 9, ...login, password: wrong })
  await ask(200, 'PUT', '/connectors/1/authentication', { version: 1, ...login, password: right })
  await ask(200, 'POST', `${ovhcloud}/sendConnector`, {
    ...{ displayName: 'OVHcloud', smartHost: '192.0.2.1', smartHostAuthMechanism: 'basicAuth' },
    ...{ user: 'sandbox', password: wrong },
  })
  await ask(400, 'POST', `${ovhcloud}/sendConnector`, { displayName: 'Other', password: { wrong } })
  await ask(200, 'POST', `${ovhcloud}/sendConnector/2/changeAuthentication`, { password: users })
  await ask(200, 'POST', `${ovhcloud}/account`, {
    ...{ domain: 'example.com', login: 'anna', license: 'basic', password: mistyped },
  })
  await ask(401, 'POST', '/session', { token: mistyped })
  await ask(400, 'POST', '/session', { token: mistyped, name: mistyped })
  const made = await relay.ask('POST', '/tokens', { name: 'Made', scopes: ['read'], ovhcloud: true })
  const { token, ovhcloud: application } = made.json
  const signed = { 'x-ovh-application': application.applicationKey, 'x-ovh-consumer': token }
  for (const headers of [{ authorization: `Bearer ${token}` }, signed])
    await fetch(`${relay.adminUrl}${ovhcloud}/task`, { headers })
  const accepted = [await submit(relay, { to: ['anna@example.org'] })]
  await host.received(1)
  await relay.until(() => relay.events('delivered').length > 0)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))

  const { paths } = (await relay.ask('GET', '/openapi.json')).json as {
    paths: Record<string, Record<string, unknown>>
  }
  for (const [path, methods] of Object.entries(paths)) {
    if (!('get' in methods)) continue
    const there = path.replace('{sender}', 'anna@example.com').replace(/\{\w+\}/, '1')
    answers[`GET ${path}`] = await (await relay.fetch(there)).text()
  }
  for (const path of ['/sendConnector', '/sendConnector/2', '/account/anna@example.com', '/task/1', '/task'])
    answers[`GET ovhcloud ${path}`] = await (await relay.fetch(ovhcloud + path)).text()
  await relay.stop()
  const files = await filesIn(join(relay.directory, 'data'))
  expect(Object.keys(files).join()).toMatch(/state\/data\.mdb/)
  expect(Object.keys(files).join()).toMatch(/protocol/i)
  const local = files['admin-token']!.trim()
  const stateKey = files['state-key']!.trim()
  delete files['admin-token']
  delete files['state-key']

  const keyLines = key.split('\n').filter((line) => line.length === 64)
  expect(keyLines.length).toBeGreaterThan(0)
  const secrets = [...spellings, token, application.applicationSecret, local, stateKey, ...keyLines]
  const told = { log: JSON.stringify(relay.history) + relay.stderr.join('\n'), ...answers, ...files }
  const leaks = Object.entries(told).flatMap(([where, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => `${where}: ${secret}`),
  )
  expect(leaks).toEqual([])
})

/** Rightly, and with a password that is not the user's. */
async function logIn(relay: RelayProcess): Promise<void> {
  const client = await SmtpClient.greet(relay)
  expect(await client.command(`AUTH PLAIN ${base64(`\0alice\0${mistyped}`)}`)).toMatch(/^535 /)
  expect(await client.command('AUTH LOGIN')).toMatch(/^334 /)
  await client.command(base64('alice'))
  expect(await client.command(base64(users))).toMatch(/^235 /)
  client.close()
}

async function answersOf(relay: RelayProcess): Promise<Record<string, string>> {
  const answers: Record<string, string> = {}
  for (const path of ['/queue', '/connectors', '/metrics', '/readyz', '/healthz'])
    answers[path] = await (await relay.fetch(path)).text()
  return answers
}

async function printed(relay: RelayProcess, env: Record<string, string>): Promise<Record<string, string>> {
  const config = ['--config', join(relay.directory, 'relay.yaml')]
  const prints: Record<string, string> = {}
  for (const command of ['check', 'check --json']) {
    const { code, stdout, stderr } = await runRelay([...command.split(' '), ...config], env)
    expect(code).toBe(0)
    prints[command] = stdout + stderr
  }
  for (const command of ['queue list', 'queue list --json', 'connector list', 'connector show 2']) {
    const { code, stdout, stderr } = await relay.command(...command.split(' '))
    expect(code).toBe(0)
    prints[command] = stdout + stderr
  }
  return prints
}

async function filesIn(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    files[file.slice(directory.length + 1)] = await readFile(file, 'latin1')
  }
  return files
}
