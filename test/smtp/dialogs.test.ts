/** The conversations in `dialogs/`, each a claim about the listener. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Config, ListenerConfig } from '../../src/config/schema.ts'
import { hashPassword } from '../../src/smtp/password.ts'
import { readDialogs, runDialog } from '../support/dialog.ts'
import { runListener } from './running-listener.ts'

let dataDir: string
let users: Config['access']['users']

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'relay-dialogs-'))
  const senders = ['alice@example.com', '*@shop.example.com']
  users = [{ name: 'alice', passwordHash: await hashPassword('secret'), senders }]
})
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

interface Setup {
  readonly config: Partial<ListenerConfig>
  /** Users in place of allowed networks. */
  readonly users?: true
  /** As well as them. */
  readonly networks?: Config['access']['networks']
}

const small = { maxMessageSize: 100_000 }
const listeners: Record<string, Setup> = {
  plain: { config: { tls: 'off', ...small } },
  starttls: { config: { tls: 'starttls' } },
  'starttls-users': { config: { tls: 'starttls' }, users: true },
  'clear-auth': { config: { tls: 'starttls', authWithoutTls: true }, users: true },
  required: { config: { tls: 'required' }, users: true, networks: ['127.0.0.0/8'] },
  implicit: { config: { tls: 'implicit' }, users: true },
  closed: { config: { tls: 'off' }, networks: ['192.0.2.0/24'] },
  'senders-of-networks': {
    config: { tls: 'off', authWithoutTls: true },
    users: true,
    networks: ['127.0.0.0/8', { network: '127.0.0.1/32', senders: ['*@app.example.com'] }],
  },
  'few-recipients': { config: { tls: 'off', maxRecipients: 2 } },
  'few-commands': { config: { tls: 'off', maxCommands: 10 } },
}

describe.each(readDialogs(join(import.meta.dirname, 'dialogs')))('$file', (dialog) => {
  it(dialog.claim, async () => {
    const setup = listeners[dialog.listener]
    if (setup === undefined) throw new Error(`There is no listener ${dialog.listener} in this suite`)
    const networks = setup.networks ?? (setup.users ? ['192.0.2.0/24'] : ['127.0.0.0/8'])
    const running = await runListener({
      config: setup.config,
      access: { networks, users: setup.users ? users : [] },
      dataDir,
    })
    await runDialog(dialog, { port: running.port, tls: setup.config.tls === 'implicit' })
    expect(running.reception.failures).toEqual([])
  })
})
