/** The history of a message is told in order, in the files, over the admin port and by `relay trace`. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { TrackedEvent } from '../../src/tracking/tracked-event.ts'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { letter, offer, submit } from '../support/submit.ts'

const idIn = (reply: string): string => /[0-9A-Z]{20}/.exec(reply)![0]
const dir = (relay: RelayProcess) => join(relay.directory, 'data', 'tracking')
const trace = (relay: RelayProcess, ...args: string[]) => relay.command('trace', ...args)

/** Once all of these are in the files. */
async function eventsOf(relay: RelayProcess, id: string, count: number): Promise<TrackedEvent[]> {
  let events: TrackedEvent[] = []
  await expect
    .poll(
      async () => {
        events = (await relay.ask('GET', `/tracking?id=${id}`)).json.events.reverse()
        return events.length
      },
      { timeout: 10_000, interval: 100 },
    )
    .toBe(count)
  return events
}

it('follows a message that is deferred, delivered to one and bounced for another', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)], delivery: quickRetries })
  const mail = {
    to: ['dot-ok@example.org', 'rcpt-451-first-1@example.org', 'rcpt-550@example.org'],
    content: `Message-ID: <letter@example.com>\r\nX-MS-Exchange-Organization-Network-Message-Id: 13FAD5B7-39C5-46E7-130E-08D4A138AC67\r\n${letter('A letter')}`,
  }
  const id = idIn((await submit(relay, mail)).reply)
  const events = await eventsOf(relay, id, 6)
  const words = events.map(({ event }) => event)
  expect(words[0]).toBe('RECEIVE')
  expect(words.slice(1, 5).sort()).toEqual(['DEFER', 'DSN', 'FAIL', 'SEND'])
  expect(words.at(-1)).toBe('SEND')
  const [received] = events
  expect(received).toMatchObject({
    messageId: id,
    itemId: null,
    internetMessageId: '<letter@example.com>',
    networkMessageId: '13fad5b7-39c5-46e7-130e-08d4a138ac67',
    from: 'sender@example.com',
    recipients: mail.to.map((address) => ({ address, status: null })),
    connector: 'exchange',
    client: '127.0.0.1',
  })
  const failed = events.find(({ event }) => event === 'FAIL')!
  const dsn = events.find(({ event }) => event === 'DSN')!
  expect(failed).toMatchObject({
    itemId: `${id}-1`,
    internetMessageId: '<letter@example.com>',
    host: '127.0.0.1',
    recipients: [{ address: 'rcpt-550@example.org', status: expect.stringMatching(/^550 /) }],
    reference: dsn.internetMessageId,
  })
  expect(dsn).toMatchObject({ about: `${id}-1`, reference: '<letter@example.com>', from: '' })

  const { code, stdout } = await trace(relay, id)
  expect(code).toBe(0)
  expect(stdout).toMatch(new RegExp(`^Message +${id}\nMessage-ID +<letter@example.com>\n`))
  const told = stdout.split('\n').filter((line) => /^\d{4}-/.test(line))
  expect(told.map((line) => line.split(/ +/)[1])).toEqual(words)
  expect(told[0]).toContain('dot-ok@example.org +2')
  expect(stdout).toMatch(/FAIL .*rcpt-550@example.org .*550 /)
  expect(stdout).toContain('failed, queued as ')

  const ids = async (...args: string[]) =>
    new Set(
      (await trace(relay, ...args, '--json')).stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as TrackedEvent).messageId),
    )
  expect(await ids('--recipient', 'rcpt-550@example.org')).toEqual(new Set([id]))
  const byNetworkId = await relay.ask(
    'GET',
    '/tracking?networkMessageId=13fad5b7-39c5-46e7-130e-08d4a138ac67',
  )
  expect(byNetworkId.json.events.reverse()).toEqual(events)
  expect(await ids('--message-id', '<letter@example.com>', '--event', 'send')).toEqual(new Set([id]))
  expect(await ids('--sender', '@example.com', '--until', '1h')).toEqual(new Set())

  await relay.stop()
  const files = await readdir(dir(relay))
  const text = (await Promise.all(files.map((file) => readFile(join(dir(relay), file), 'utf8')))).join('')
  expect(text.split('\r\n').filter((line) => line.includes(id))).toHaveLength(6)
})

it('tells what policy decided, also of a message that was refused', async () => {
  const host = await startHost()
  const relay = await startRelay({
    connectors: [connectorTo(host.port)],
    policy: {
      rules: [
        {
          name: 'No secrets',
          conditions: { subjectContainsWords: ['secret'] },
          actions: { reject: { text: 'Not by mail' } },
        },
        {
          name: 'Second look',
          conditions: { subjectContainsWords: ['contract'] },
          actions: { hold: 'asks for a second look' },
        },
        {
          name: 'For some',
          conditions: { recipientDomainIs: ['example.net'] },
          actions: { prefixSubject: '[external] ' },
        },
      ],
    },
  })
  const refused = await offer(relay, { to: ['a@example.org'], content: letter('A secret') })
  expect(refused.reply).toMatch(/^550 /)
  const rule = await relay.line((line) => line.event === 'rule')
  expect(await eventsOf(relay, String(rule.messageId), 2)).toMatchObject([
    {
      event: 'AGENTINFO',
      source: 'AGENT',
      details: { TRA: expect.stringContaining('rule=No secrets|mode=enforce|action=reject') },
    },
    {
      event: 'FAIL',
      source: 'AGENT',
      from: 'sender@example.com',
      recipients: [{ address: 'a@example.org', status: expect.stringMatching(/^550 5\.7\.1 Not by mail/) }],
      connector: 'exchange',
      details: { RefusedAt: 'DATA' },
    },
  ])
  expect((await trace(relay, '--sender', 'sender@example.com')).stdout).toMatch(
    /FAIL .*550 5\.7\.1 Not by mail; refused at DATA, not received/,
  )

  const held = idIn((await submit(relay, { to: ['a@example.org'], content: letter('A contract') })).reply)
  expect((await eventsOf(relay, held, 3)).map(({ event }) => event)).toEqual([
    'RECEIVE',
    'AGENTINFO',
    'SUSPEND',
  ])

  const forked = idIn((await submit(relay, { to: ['a@example.org', 'b@example.net'] })).reply)
  await relay.until(() => relay.events('delivered').length === 2)
  await eventsOf(relay, forked, 4)
  const { stdout } = await trace(relay, forked)
  const told = stdout.split('\n').filter((line) => /^\d{4}-/.test(line))
  expect(told.map((line) => line.split(/ +/)[1])).toEqual([
    'RECEIVE',
    'TRANSFER',
    'AGENTINFO',
    'SEND',
    'SEND',
  ])
  // The recipient is the form's alone; what is told is its message's history, once.
  expect((await trace(relay, '--recipient', 'b@example.net', '--event', 'send')).stdout).toBe(stdout)
})

it('tells what operators did, who it was and why', async () => {
  const host = await startHost()
  const relay = await startRelay({
    connectors: [
      connectorTo(host.port),
      connectorTo(host.port, { id: 2, name: 'Second', addressSpaces: ['none.example.net'] }),
    ],
    policy: { rules: [{ name: 'Look', actions: { hold: 'asks for a second look' } }] },
  })
  const act = async (name: string, ...args: string[]) =>
    expect((await relay.queueCommand(name, ...args, '--reason', `because of ${name}`)).code).toBe(0)
  const told = async (id: string) =>
    (await trace(relay, id)).stdout
      .split('\n')
      .filter((line) => /^\d{4}-/.test(line))
      .map((line) => line.split(/ {2,}/).slice(1))
  const [kept, removed, reported] = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => idIn((await submit(relay, { to: [`${name}@example.org`] })).reply)),
  )
  await act('redirect', kept!, '--target', '2')
  await act('resume', kept!)
  await act('remove', removed!, '--no-dsn')
  await act('remove', reported!)
  await eventsOf(relay, kept!, 6)
  const to = 'a@example.org'
  expect(await told(kept!)).toEqual([
    ['RECEIVE', 'exchange', '127.0.0.1', to, '-'],
    ['AGENTINFO', '-', '-', to, expect.stringContaining('rule=Look, mode=enforce, action=hold')],
    ['SUSPEND', '1', '-', to, 'asks for a second look'],
    ['RESUBMIT', '2', '-', to, 'because of redirect; from connector 1; by local'],
    ['RESUME', '2', '-', to, 'because of resume; by local'],
    ['SEND', '2', '127.0.0.1', to, expect.stringMatching(/^250 /)],
  ])
  await eventsOf(relay, removed!, 4)
  expect((await told(removed!)).at(-1)).toEqual([
    ...['REMOVE', '1', '-', 'b@example.org', 'because of remove; by local'],
  ])
  await eventsOf(relay, reported!, 5)
  expect((await told(reported!)).slice(-2)).toEqual([
    ['REMOVE', '1', '-', 'c@example.org', 'because of remove; by local'],
    ['DSN', '1', '-', 'sender@example.com', expect.stringMatching(/^failed, queued as [0-9A-Z]{20}$/)],
  ])
})

it('is exported as the lines of the files, a page at a time', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)] })
  for (let i = 0; i < 3; i++) await submit(relay, { to: [`user${i}@example.org`] })
  await relay.until(() => relay.events('delivered').length === 3)
  await expect
    .poll(async () => (await trace(relay, '--csv')).stdout.split('\r\n').length, { timeout: 10_000 })
    .toBe(5 + 6 + 1)
  const { stdout } = await trace(relay, '--csv', '--limit', '2')
  const lines = stdout.split('\r\n')
  expect(lines[0]).toBe('#Software: smarthost-relay')
  expect(lines.slice(5, -1)).toHaveLength(2)
  const [file] = await readdir(dir(relay))
  const text = await readFile(join(dir(relay), file!), 'utf8')
  for (const line of lines.slice(5)) expect(text).toContain(line)

  const answer = await relay.fetch('/tracking?limit=4&format=csv')
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  const next = answer.headers.get('x-relay-next')!
  const rest = await relay.fetch(`/tracking?format=csv&after=${next}`)
  expect((await rest.text()).split('\r\n')).toHaveLength(3)
})

it('writes nothing where it is switched off, and says what is wrong with a question', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)], tracking: { enabled: false } })
  await submit(relay, { to: ['user@example.org'] })
  await relay.line((line) => line.event === 'delivered')
  expect((await trace(relay, '--since', '1d')).stdout).toBe('No message in the tracking history matches.\n')
  expect(await trace(relay, '--sender', 'nobody')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('sender must be an address'),
  })
  expect((await trace(relay, 'nonsense')).code).toBe(2)
  expect(await relay.stop()).toBe(0)
  await expect(readdir(dir(relay))).rejects.toThrow('ENOENT')
})
