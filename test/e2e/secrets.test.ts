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
    answers[path] = await (await fetch(relay.adminUrl + path)).text()
  return answers
}

async function printed(relay: RelayProcess, env: Record<string, string>): Promise<Record<string, string>> {
  const config = ['--config', join(relay.directory, 'relay.yaml')]
  const admin = ['--admin', relay.adminUrl]
  const prints: Record<string, string> = {}
  for (const command of ['check', 'check --json']) {
    const { code, stdout, stderr } = await runRelay([...command.split(' '), ...config], env)
    expect(code).toBe(0)
    prints[command] = stdout + stderr
  }
  for (const command of ['queue list', 'queue list --json', 'connector list', 'connector show 2']) {
    const { code, stdout, stderr } = await runRelay([...command.split(' '), ...admin])
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
