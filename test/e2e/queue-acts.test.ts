/** What operators do with `relay queue …` to the mail of a running relay, and that every recipient has one fate all the same. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closedPort } from '../support/closed-port.ts'
import { closeAfterwards, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { logged, recipientsOf, startPolicyRelay } from '../support/policy-relay.ts'
import { connectorTo, type Ended, program, type RelayProcess } from '../support/relay-process.ts'
import { startStore, stores } from '../support/stores.ts'
import { letter, submit } from '../support/submit.ts'

const done: Partial<Ended> = { code: 0, stderr: '' }

/** The items of `relay queue list --json`. */
async function listed(relay: RelayProcess, ...filter: string[]): Promise<{ id: string; state: string }[]> {
  const { stdout } = await relay.queueCommand('list', '--json', ...filter)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

describe.each(stores)('on the %s store', (store) => {
  it('exports and releases what a rule holds', async () => {
    const holdSecond = {
      name: 'Second look',
      conditions: { subjectContainsWords: ['invoice'] },
      actions: { hold: 'Asks for a second look' },
    }
    const { host, relay } = await startPolicyRelay({ rules: [holdSecond] }, { store })
    const content = letter('An invoice', 'Sum: 1 €\r\n.\r\n')
    const accepted = [await submit(relay, { to: ['anna@example.org'], content, parameters: 'BODY=8BITMIME' })]
    const [item] = await listed(relay, '--state', 'suspended')
    expect(item).toMatchObject({ state: 'suspended', holdReason: 'Asks for a second look', lastError: null })

    const out = join(relay.directory, 'message.eml')
    expect(await relay.queueCommand('export', item!.id, '--out', out)).toMatchObject(done)
    const exported = await readFile(out, 'utf8')
    expect(exported).toMatch(/^Received: from /)
    expect(exported.endsWith(`\r\n${content}`)).toBe(true)
    expect((await relay.queueCommand('export', item!.id)).stdout).toBe(exported)

    const resumed = await relay.queueCommand('resume', item!.id, '--reason', 'looked at')
    expect(resumed).toMatchObject(done)
    await host.received(1)
    expect(host.messages[0]!.raw.toString()).toBe(exported)
    expect(await logged(relay, 'resumed')).toMatchObject([
      { itemId: item!.id, by: 'local', reason: 'looked at', recipients: ['anna@example.org'] },
    ])
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
  })

  it('holds what is deferred until it is resumed, and attempts it when it is asked to', async () => {
    const { host, relay } = await startPolicyRelay(
      {},
      { store, config: { delivery: { messageRetry: ['1h'] } } },
    )
    const accepted = [await submit(relay, { to: ['rcpt-450-first-1-anna@example.org'] })]
    await relay.line((line) => line.event === 'deferred')
    const [item] = await listed(relay, '--state', 'deferred')
    expect(await relay.queueCommand('suspend', item!.id)).toMatchObject(done)
    expect(await relay.queueCommand('retry', item!.id)).toMatchObject(done)
    expect(await listed(relay)).toMatchObject([{ id: item!.id, state: 'suspended' }])
    expect(host.ledger).toEqual([])
    expect(await relay.queueCommand('resume', '--all')).toMatchObject({ ...done, stdout: 'Resumed: 1\n' })
    await host.received(1)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
    // The log is written a little later than the mail is delivered.
    await logged(relay, 'resumed')
    expect(relay.history.filter(({ by }) => by === 'local').map(({ event }) => event)).toEqual([
      ...['suspended', 'retried', 'resumed'],
    ])
  })

  it('removes mail, tells its sender or not, and moves the rest to a connector that works', async () => {
    const host = await startHost()
    const opened = await startStore(store)
    closeAfterwards(() => opened.destroy())
    const relay = await startRelay({
      queue: opened.queue,
      connectors: [
        connectorTo(await closedPort(), { name: 'Down', addressSpaces: ['example.org'] }),
        connectorTo(host.port, { id: 2, name: 'Sandbox' }),
      ],
      delivery: { connectionRetry: ['1h'] },
    })
    const accepted = []
    for (const name of ['anna', 'bert', 'carl', 'dora'])
      accepted.push(await submit(relay, { to: [`${name}@example.org`] }))
    await relay.line((line) => line.event === 'connector' && line.state === 'retry')

    const of = (name: string) => ['--recipient', `${name}@example.org`]
    await waitUntilFree(relay)
    expect(await relay.queueCommand('remove', ...of('anna'), '--yes')).toMatchObject({
      ...done,
      stdout: 'Removed: 1\n',
    })
    const [bert] = await listed(relay, ...of('bert'))
    expect(await relay.queueCommand('remove', bert!.id, '--no-dsn')).toMatchObject(done)
    await host.received(1)
    expect(host.messages.map(recipientsOf)).toEqual([['sender@example.com']])
    expect(host.messages[0]!.raw.toString()).toMatch(/^Final-Recipient: rfc822; anna@example.org\r$/m)

    expect(await relay.queueCommand('redirect', '--connector', '1', '--target', '2')).toMatchObject({
      ...done,
      stdout: 'Redirected: 2\n',
    })
    await host.received(3)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
      balanced({ removed: 2, delivered: 2 }),
    )
  })
})

/** What was given to the connector before it failed comes back to the store. */
async function waitUntilFree(relay: RelayProcess): Promise<void> {
  while ((await listed(relay, '--state', 'leased')).length > 0);
}

it('asks at a terminal before it removes, and says how many', async () => {
  const relay = await startRelay({ connectors: [connectorTo(await closedPort())] })
  const accepted = [await submit(relay, { to: ['anna@example.org'] })]
  await relay.line((line) => line.event === 'connector')
  await waitUntilFree(relay)
  const tokenFile = join(relay.directory, 'data', 'admin-token')
  const remove = `queue remove --all --admin ${relay.adminUrl} --token-file ${tokenFile}`
  const question = 'remove items: 1, and tell their senders. Continue? [y/N]'
  const refused = await atTerminal(remove, 'n')
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining(question) })
  expect(await relay.queue()).toHaveLength(1)
  const confirmed = await atTerminal(`${remove} --no-dsn`, 'y')
  expect(confirmed).toMatchObject({ code: 0, text: expect.stringContaining('Removed: 1') })
  expect(confirmed.text).toContain('remove items: 1, and tell nobody. Continue?')
  expect(await balanceOf({ accepted, hosts: [], relays: [relay] })).toEqual(balanced({ removed: 1 }))
})

/** Runs the program at a terminal of its own, at which somebody answers its first question. */
async function atTerminal(args: string, answer: string): Promise<{ code: number | null; text: string }> {
  const child = spawn('script', ['-qec', `${process.execPath} ${program} ${args}`, '/dev/null'])
  const closed = once(child, 'close')
  let text = ''
  child.stdout.on('data', (chunk) => {
    if (!text.includes('? [y/N]') && `${text}${chunk}`.includes('? [y/N]')) child.stdin.write(`${answer}\n`)
    text += chunk
  })
  await closed
  return { code: child.exitCode, text }
}

it('makes a token for its user alone, keeps it over a restart, and takes no other', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)] })
  const file = join(relay.directory, 'data', 'admin-token')
  const token = (await readFile(file, 'utf8')).trim()
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await relay.stop()
  await relay.restart()
  expect((await readFile(file, 'utf8')).trim()).toBe(token)
  const post = (authorization: string) =>
    fetch(`${relay.adminUrl}/queue/actions`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: '{"action":"resume","filter":{}}',
    })
  expect((await post(`Bearer ${token}`)).status).toBe(200)
  expect((await post(`Bearer ${token.slice(1)}A`)).status).toBe(401)
  expect(JSON.stringify(relay.history)).not.toContain(token)
})
