/** Clients that this project did not write. Where they are missing the tests are skipped, and fail in CI. */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/schema.ts'
import { hashPassword } from '../../src/smtp/password.ts'
import { runListener } from './running-listener.ts'

const run = promisify(execFile)

function find(program: string): string | null {
  const paths = (process.env.PATH ?? '').split(':').concat('/usr/sbin')
  return paths.map((path) => join(path, program)).find((path) => existsSync(path)) ?? null
}
const swaks = find('swaks')
const smtpSource = find('smtp-source')
const openssl = find('openssl')
const mayBeMissing = !process.env.CI

let dataDir: string
let users: Config['access']['users']
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'relay-peers-'))
  users = [{ name: 'alice', passwordHash: await hashPassword('secret'), senders: ['alice@example.com'] }]
})
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

describe.skipIf(swaks === null && mayBeMissing)('swaks', () => {
  const message = ['--from', 'alice@example.com', '--to', 'b@example.org', '--helo', 'client.example.com']

  it.each([
    ['in clear', 'off', []],
    ['over STARTTLS', 'starttls', ['--tls']],
    ['over implicit TLS', 'implicit', ['--tls-on-connect']],
    ['pipelined', 'off', ['--pipeline']],
  ] as const)('submits %s', async (_how, tls, options) => {
    const running = await runListener({ config: { tls }, dataDir })
    await run(swaks!, ['--server', `127.0.0.1:${running.port}`, ...message, ...options])
    expect(running.reception.messages).toHaveLength(1)
  })

  it.each(['PLAIN', 'LOGIN'])('logs in with AUTH %s', async (mechanism) => {
    const running = await runListener({
      config: { tls: 'required' },
      access: { networks: [], users },
      dataDir,
    })
    const login = ['--tls', '--auth', mechanism, '--auth-user', 'alice', '--auth-password', 'secret']
    await run(swaks!, ['--server', `127.0.0.1:${running.port}`, ...message, ...login])
    expect(running.reception.messages[0]!.transaction.session).toMatchObject({
      client: { user: 'alice' },
      protocol: 'ESMTPSA',
    })
  })

  it('is told that its password is wrong', async () => {
    const running = await runListener({
      config: { tls: 'required' },
      access: { networks: [], users },
      dataDir,
    })
    const login = ['--tls', '--auth', 'PLAIN', '--auth-user', 'alice', '--auth-password', 'wrong']
    await expect(
      run(swaks!, ['--server', `127.0.0.1:${running.port}`, ...message, ...login]),
    ).rejects.toMatchObject({ stdout: expect.stringContaining('535 5.7.8') })
    expect(running.reception.messages).toEqual([])
  })
})

describe.skipIf(smtpSource === null && mayBeMissing)('smtp-source', () => {
  it.each([
    ['one connection for each message', []],
    ['connections that stay', ['-d']],
  ])('submits two hundred messages in ten sessions over %s', async (_how, options) => {
    const running = await runListener()
    const load = ['-s', '10', '-m', '200', '-l', '4096', '-f', 'a@example.com', '-t', 'b@example.org']
    await run(smtpSource!, [...load, ...options, `127.0.0.1:${running.port}`])
    expect(running.reception.messages).toHaveLength(200)
    expect(running.reception.failures).toEqual([])
  })
})

describe.skipIf(openssl === null && mayBeMissing)('openssl s_client', () => {
  it('finds a certificate it can check, once it is told to trust it', async () => {
    const running = await runListener({ config: { tls: 'starttls' }, dataDir })
    const target = ['-connect', `127.0.0.1:${running.port}`, '-starttls', 'smtp']
    const trust = ['-CAfile', join(dataDir, 'certificate.pem'), '-verify_hostname', 'relay.example.com']
    const child = run(openssl!, ['s_client', ...target, ...trust, '-verify_return_error', '-crlf'])
    child.child.stdin!.end('QUIT\n')
    expect((await child).stdout).toContain('Verify return code: 0 (ok)')
    expect(
      execFileSync(openssl!, ['x509', '-in', join(dataDir, 'certificate.pem'), '-noout', '-subject']),
    ).toBeDefined()
  })
})
