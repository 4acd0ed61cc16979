/** `relay sender …`, over a real admin port. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { senderEndpoints } from '../../src/admin/senders/sender-endpoints.ts'
import { registerSender } from '../../src/cli/sender.ts'
import { type AdminPort, localToken, startAdminPort } from '../support/admin-port.ts'
import { runSetup } from '../support/running-setup.ts'
import { type Run, runCommand } from './run-command.ts'

const yaml = `
hostname: relay.example.com
listeners: [{ name: exchange, port: 2525 }]
connectors:
  - { id: 29, name: Provider, addressSpaces: ["*"], smartHosts: [192.0.2.29] }
  - { id: asleep, name: Asleep, enabled: false, smartHosts: [192.0.2.30] }
senders: [{ address: file@example.com, connector: 29 }]
`

let port: AdminPort
let directory: string
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))
  writeFileSync(join(directory, 'token'), localToken)
  const running = await runSetup({ yaml })
  port = await startAdminPort({ running, endpoints: senderEndpoints({ setup: running.setup }) })
})
afterEach(async () => {
  await port.stop()
  rmSync(directory, { recursive: true })
})

function sender(...args: readonly string[]): Promise<Run> {
  const relay = ['--admin', port.url, '--token-file', join(directory, 'token')]
  return runCommand(registerSender, ['sender', ...args, ...relay])
}

function file(content: string | Uint8Array): string {
  const path = join(directory, 'senders.csv')
  writeFileSync(path, content)
  return path
}

it('binds, lists and unbinds', async () => {
  expect(await sender('bind', 'A@example.com', '29')).toEqual({
    out: 'Bound a@example.com to 29 (Provider)\n',
    err: '',
    code: 0,
  })
  expect((await sender('bind', '@example.org', '0')).out).toBe('Bound @example.org to no connector\n')
  const { out } = await sender('list')
  expect(out).toMatch(
    /^SENDER +CONNECTOR +ORIGIN +CHANGED\n@example.org +- +api +\S+\na@example.com +29 \(Provider\) +api +\S+\nfile@example.com +29 \(Provider\) +file +-\n$/,
  )
  expect(await sender('unbind', 'a@example.com')).toEqual({
    out: 'Unbound a@example.com\n',
    err: '',
    code: 0,
  })
  expect((await sender('list', '--origin', 'api', '--csv')).out).toBe(
    "sender,connector\r\n'@example.org,0\r\n",
  )
})

it('binds to a disabled connector, and says so', async () => {
  expect(await sender('bind', 'a@example.com', 'asleep')).toEqual({
    out: 'Bound a@example.com to asleep (Asleep)\n',
    err: 'warning: connector asleep is disabled: such mail is refused with 451 4.3.2 until it is enabled\n',
    code: 0,
  })
})

it('prints objects for programs', async () => {
  expect(JSON.parse((await sender('bind', 'a@example.com', '29', '--json')).out)).toMatchObject({
    sender: 'a@example.com',
    connector: '29',
    version: 1,
  })
  const lines = (await sender('list', '--search', 'A@', '--connector', '29', '--json')).out.trim().split('\n')
  expect(lines.map((line) => JSON.parse(line).sender)).toEqual(['a@example.com'])
  expect((await sender('unbind', 'a@example.com', '--json')).out).toBe('{"removed":1}\n')
})

it('lists all, over many pages', async () => {
  const lines = Array.from({ length: 2500 }, (_, n) => `u${n}@example.com,29\n`).join('')
  expect((await sender('import', file(lines), '--json')).out).toBe(
    '{"created":2500,"changed":0,"unchanged":0,"removed":0}\n',
  )
  expect((await sender('list', '--json')).out.trim().split('\n')).toHaveLength(2501)
})

describe('import', () => {
  it('prints what it did, and replaces where that is said', async () => {
    expect(await sender('import', file('a@example.com;29\nb@example.com;asleep\n'))).toEqual({
      out: 'Created: 2, changed: 0, unchanged: 0, removed: 0\n',
      err: 'warning: connector asleep is disabled: such mail is refused with 451 4.3.2 until it is enabled\n',
      code: 0,
    })
    const replacing = await sender('import', file('a@example.com,0\n'), '--replace')
    expect(replacing.out).toBe('Created: 0, changed: 1, unchanged: 0, removed: 1\n')
  })

  it('reads what list wrote', async () => {
    await sender('import', file('a@example.com,0\n@example.org,29\n'))
    const { out } = await sender('list', '--csv')
    expect((await sender('import', file(out), '--replace')).out).toBe(
      'Created: 0, changed: 0, unchanged: 3, removed: 0\n',
    )
  })

  it('names the lines that are wrong, and changes nothing', async () => {
    const { out, err, code } = await sender('import', file('a@example.com,29\nb,29\nc@example.com,28\n'))
    expect({ out, code }).toEqual({ out: '', code: 2 })
    expect(err).toMatch(/^error: line 2: the sender must be a mail address/)
    expect(port.setup.current.revision).toBe(0)
  })
})

it.each([
  [['bind', 'a@example.com', '28'], 2, 'there is no 28; did you mean 29?'],
  [['bind', 'example.com', '29'], 2, 'must be a mail address'],
  [['bind', 'file@example.com', '0'], 1, 'file@example.com is bound in the configuration file'],
  [['unbind', 'a@example.com'], 1, 'There is no binding of a@example.com'],
  [['list', '--json', '--csv'], 2, 'exclude each other'],
  [['list', '--origin', 'else'], 2, 'origin must be one of file, api'],
  [['import', '/nowhere/senders.csv'], 1, '/nowhere/senders.csv cannot be read: there is no such file'],
])('fails: %j', async (args, code, message) => {
  const run = await sender(...args)
  expect(run).toMatchObject({ out: '', code })
  expect(run.err).toContain(message)
})
