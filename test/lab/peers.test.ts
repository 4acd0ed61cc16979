/** Clients that this project did not write, against the sandbox: what they take for a smart host is one. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTransport } from 'nodemailer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/lab/sandbox.ts'
import { login } from './submitter.ts'

let sandbox: Sandbox
let directory: string
beforeEach(async () => {
  sandbox = await startSandbox({ ...login, keepMessages: 10 })
  directory = mkdtempSync(join(tmpdir(), 'relay-peers-'))
})
afterEach(async () => {
  await sandbox.stop()
  rmSync(directory, { recursive: true })
})

describe('nodemailer', () => {
  const transport = (authMethod: string) =>
    createTransport({
      ...{ host: '127.0.0.1', port: sandbox.port, requireTLS: true, authMethod },
      auth: { user: login.user, pass: login.password },
      tls: { ca: sandbox.certificate!, servername: 'localhost' },
    })

  it.each(['PLAIN', 'LOGIN'])('submits with AUTH %s and DSN parameters', async (authMethod) => {
    const raw = 'Subject: x\r\n\r\n.\r\n..dots\r\n'
    const info = await transport(authMethod).sendMail({
      envelope: { from: 'a@example.com', to: ['b@example.org', 'c@example.org'] },
      dsn: { id: 'QQ1', return: 'headers', notify: ['failure', 'delay'], recipient: 'a@example.com' },
      raw,
    })
    const [message] = sandbox.messages
    expect(info.response).toBe(`250 2.0.0 Ok: queued as ${message!.id}`)
    expect(message!.raw.toString()).toBe(raw)
    expect(message!.envelope).toMatchObject({ from: 'a@example.com', ret: 'hdrs', envid: 'QQ1' })
    expect(message!.envelope.to.map(({ address, notify }) => [address, notify])).toEqual([
      ['b@example.org', ['failure', 'delay']],
      ['c@example.org', ['failure', 'delay']],
    ])
  })

  it('understands a recipient that is refused', async () => {
    const to = ['rcpt-550@example.org', 'good@example.org']
    const envelope = { from: 'a@example.com', to }
    const info = await transport('PLAIN').sendMail({ envelope, raw: 'x\r\n' })
    expect(info.rejected).toEqual(['rcpt-550@example.org'])
    expect(sandbox.messages[0]!.envelope.to.map(({ address }) => address)).toEqual(['good@example.org'])
  })

  it('understands that its password is wrong', async () => {
    const wrong = createTransport({
      ...{ host: '127.0.0.1', port: sandbox.port, requireTLS: true },
      auth: { user: login.user, pass: 'wrong' },
      tls: { ca: sandbox.certificate!, servername: 'localhost' },
    })
    await expect(wrong.sendMail({ from: 'a@example.com', to: 'b@example.org' })).rejects.toMatchObject({
      responseCode: 535,
    })
  })
})

/** Skips visibly without swaks; where CI is set it must be there. */
const hasSwaks = spawnSync('swaks', ['--version']).status === 0 || Boolean(process.env.CI)

describe.skipIf(!hasSwaks)('swaks', () => {
  const swaks = async (...options: string[]): Promise<string> => {
    const message = join(directory, 'message')
    writeFileSync(message, 'Subject: x\n\n.\n.dots\n')
    const target = ['--server', `127.0.0.1:${sandbox.port}`, '--tls', '--data', `@${message}`]
    const envelope = ['--from', 'a@example.com', '--to', 'b@example.org,c@example.org']
    const auth = ['--auth-user', login.user, '--auth-password', login.password]
    return (await promisify(execFile)('swaks', [...target, ...envelope, ...auth, ...options])).stdout
  }

  it.each(['PLAIN', 'LOGIN'])('submits over STARTTLS with AUTH %s', async (mechanism) => {
    expect(await swaks('--auth', mechanism)).toMatch(/250 2\.0\.0 Ok: queued as /)
    expect(sandbox.messages[0]!.raw.toString()).toMatch(/^Subject: x\r\n\r\n\.\r\n\.dots\r\n/)
    expect(sandbox.messages[0]!.envelope.to).toHaveLength(2)
  })

  it('submits with everything pipelined', async () => {
    expect(await swaks('--auth', 'PLAIN', '--pipeline')).toMatch(/250 2\.0\.0 Ok: queued as /)
    expect(sandbox.counts).toMatchObject({ messages: 1, recipients: 2, refusals: 0 })
  })
})
