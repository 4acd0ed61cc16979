/**
 * What a fresh checkout runs: config/relay.yaml, with no other change than free ports, a data directory that goes
 * away, and the ledger of the sandbox, which the file mentions.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { LedgerReader } from '../../src/lab/ledger.ts'
import { closedPort } from '../support/closed-port.ts'
import { closeAfterwards, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { runRelay } from '../support/relay-process.ts'
import { load } from '../support/submit.ts'

it('is valid as it stands', async () => {
  const { code, stdout } = await runRelay(['check', '--config', 'config/relay.yaml'])
  expect(code).toBe(0)
  expect(stdout).toContain('config/relay.yaml is valid')
})

it('relays mail to the sandbox that it runs itself', async () => {
  const { dataDir: _, ...config } = parse(await readFile('config/relay.yaml', 'utf8'))
  config.listeners[0].port = 0
  config.admin.port = 0
  config.sandbox.port = await closedPort()
  config.connectors[0].port = config.sandbox.port
  const directory = await mkdtemp(join(tmpdir(), 'relay-first-steps-'))
  closeAfterwards(() => rm(directory, { recursive: true }))
  config.sandbox.ledger = join(directory, 'ledger')
  const relay = await startRelay(config)
  expect(relay.lines.find(({ msg }) => msg === 'sandbox smart host open')).toBeDefined()
  const run = await load(relay, { run: 'first-steps' })
  await relay.until(() => relay.events('delivered').length === 40)
  const reader = new LedgerReader(config.sandbox.ledger)
  const ledger = await reader.read()
  await reader.close()
  expect(await balanceOf({ runs: [run], hosts: [{ ledger }], relays: [relay] })).toEqual(
    balanced({ delivered: 40 }),
  )
})
