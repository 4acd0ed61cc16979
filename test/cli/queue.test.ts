import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectorEndpoints } from '../../src/admin/connectors/connector-endpoints.ts'
import { queueEndpoints } from '../../src/admin/queue/queue-endpoints.ts'
import { AdminError } from '../../src/cli/admin-client.ts'
import { registerConnector } from '../../src/cli/connector.ts'
import { registerQueue } from '../../src/cli/queue.ts'
import type { QueueActs } from '../../src/delivery/queue-acts.ts'
import type { ConnectorStatus } from '../../src/delivery/status.ts'
import { type Queue, QueueUnavailable } from '../../src/queue/queue.ts'
import { connectorStatus, FixedQueue, listedItem, messageId } from '../admin/queue/queue-items.ts'
import { type AdminPort, localToken, startAdminPort } from '../support/admin-port.ts'
import { runSetup } from '../support/running-setup.ts'

let port: AdminPort
let queue: FixedQueue
let statuses: readonly ConnectorStatus[]

beforeEach(async () => {
  queue = new FixedQueue([listedItem({ lastError: '452 4.2.2 Mailbox full' })])
  statuses = [connectorStatus()]
  const running = await runSetup()
  const { clock, setup } = running
  const connectors = () => statuses
  port = await startAdminPort({
    running,
    endpoints: [
      ...queueEndpoints({
        queue: queue as unknown as Queue,
        connectors,
        clock,
        acts: {} as QueueActs,
        limits: [],
        configured: () => [],
      }),
      ...connectorEndpoints({ setup, connectors, queue, rates: () => ({ incoming: 0, outgoing: 0 }), clock }),
    ],
  })
  process.env.RELAY_TOKEN = localToken
})

afterEach(async () => {
  delete process.env.RELAY_TOKEN
  await port.stop()
})

/** Runs a command and catches what it prints; a failure is printed and becomes the exit code 1, as in main.ts. */
async function relay(args: string, options: { url?: string; width?: number } = {}) {
  let [out, err, code] = ['', '', 0]
  const program = new Command('relay')
    .option('--config <file>')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        out += text
      },
      writeErr: (text) => {
        err += text
      },
      ...(options.width !== undefined && { getOutHelpWidth: () => options.width! }),
    })
  registerQueue(program)
  registerConnector(program)
  const where = args.includes('--config') ? [] : ['--admin', options.url ?? port.url]
  await program.parseAsync([...args.split(' '), ...where], { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof CommanderError) && !(error instanceof AdminError)) throw error
    if (error instanceof AdminError) err += `${error.message}\n`
    code = error instanceof AdminError ? 1 : 2
  })
  return { out, err, code }
}

const jsonLines = (out: string) =>
  out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

describe('relay queue list', () => {
  it('prints an aligned table', async () => {
    const { out, code } = await relay('queue list')
    expect(code).toBe(0)
    const [title, line, end] = out.split('\n')
    expect(title).toMatch(/^ID +CONNECTOR +STATE +AGE +SIZE +FROM +TO +ATTEMPTS +NEXT ATTEMPT +WHY$/)
    expect(line).toContain('a@example.com  b@example.org +1')
    expect(title!.indexOf('WHY')).toBe(line!.indexOf('452 4.2.2 Mailbox full'))
    expect(end).toBe('')
  })

  it('cuts the table to a terminal, and only there', async () => {
    const { out } = await relay('queue list', { width: 40 })
    expect(out.split('\n').every((line) => line.length <= 40)).toBe(true)
    expect((await relay('queue list')).out.split('\n')[1]!.length).toBeGreaterThan(100)
  })

  it('prints one object per line with --json, with the fields that are documented', async () => {
    const [item, ...others] = jsonLines((await relay('queue list --json')).out)
    expect(others).toEqual([])
    expect(Object.keys(item)).toEqual([
      'id',
      'messageId',
      'connector',
      'state',
      'from',
      'recipients',
      'attempts',
      'nextAttemptAt',
      'lastError',
      'holdReason',
      'receivedAt',
      'expiresAt',
      'sizeBytes',
      'client',
    ])
    expect(Object.keys(item.recipients[0])).toEqual(['address', 'state', 'lastReply'])
  })

  it('shows who holds an item, and what the smart host said before', async () => {
    queue.items = [
      listedItem({ suspended: 'a second look', lastError: '452 4.2.2 Mailbox full' }, 'suspended'),
    ]
    expect((await relay('queue list')).out).toContain('held: a second look; 452 4.2.2 Mailbox full')
    const { out } = await relay(`queue show ${messageId}-1`)
    expect(out).toMatch(/^Held +a second look\nLast error +452 4\.2\.2 Mailbox full$/m)
  })

  it('shows the fault of a stopped connector on its items', async () => {
    statuses = [connectorStatus({ state: 'retry', lastError: 'wrong certificate', nextAttemptAt: 2_000_000 })]
    expect((await relay('queue list')).out).toContain('wrong certificate')
  })

  it('lists all pages with --json, and the first hundred items as a table', async () => {
    queue.items = Array.from({ length: 250 }, (_, i) => listedItem({ id: `${messageId}-${i + 1}` }))
    const items = jsonLines((await relay('queue list --json')).out)
    expect(items.map(({ id }) => id)).toEqual(queue.items.map(({ item }) => item.id))
    const { out, err } = await relay('queue list')
    expect(out.trimEnd().split('\n')).toHaveLength(101)
    expect(err).toContain('There are more than these 100 items')
    expect(jsonLines((await relay('queue list --json --limit 120')).out)).toHaveLength(120)
    expect((await relay('queue list --limit 250')).err).toBe('')
  })

  it('hands the filter to the relay', async () => {
    await relay('queue list --connector 29 --state ready --sender <> --recipient @EXAMPLE.org')
    expect(queue.asked).toEqual([{ connector: '29', state: 'ready', sender: '', recipient: '@example.org' }])
  })

  it('says so when nothing matches', async () => {
    queue.items = []
    expect(await relay('queue list')).toEqual({ out: 'No item in the queue matches.\n', err: '', code: 0 })
    expect(await relay('queue list --json')).toEqual({ out: '', err: '', code: 0 })
  })
})

describe('relay queue show', () => {
  it('shows the item and what each recipient was answered', async () => {
    const { out, code } = await relay(`queue show ${messageId}-1`)
    expect(code).toBe(0)
    expect(out).toMatch(/^From +a@example.com$/m)
    expect(out).toMatch(/^Client +192.0.2.1 at exchange$/m)
    expect(out).toMatch(/^Size +4KB$/m)
    expect(out).toMatch(/^b@example.org +pending +452 4.2.2 Mailbox full$/m)
    expect(out).toMatch(/^c@example.org +delivered +-$/m)
  })

  it('shows all items of a message', async () => {
    queue.items = [listedItem(), listedItem({ id: `${messageId}-2`, connector: 'other' })]
    expect(jsonLines((await relay(`queue show ${messageId} --json`)).out)).toMatchObject([
      { id: `${messageId}-1` },
      { id: `${messageId}-2`, connector: 'other' },
    ])
    expect((await relay(`queue show ${messageId}`)).out.match(/^Item /gm)).toHaveLength(2)
  })

  it('fails where it is not in the queue', async () => {
    expect(await relay(`queue show ${messageId}-9`)).toEqual({
      out: '',
      err: `No item or message ${messageId}-9 is in the queue\n`,
      code: 1,
    })
  })
})

describe('relay connector', () => {
  it('lists connectors with the depth of their queues', async () => {
    statuses = [
      connectorStatus({ state: 'suspended', lastError: '535 5.7.8 Bad credentials', connections: 3 }),
    ]
    const { out } = await relay('connector list')
    expect(out).toMatch(/^29 +Of the file +suspended .* +3 +1 +0 +0 +0 +- +- +535 5.7.8 Bad credentials$/m)
  })
  it('shows one', async () => {
    const { out, code } = await relay('connector show 29')
    expect(code).toBe(0)
    expect(out).toMatch(/^Queue +1 ready, 0 deferred, 0 leased, 0 suspended$/m)
    expect(jsonLines((await relay('connector show 29 --json')).out)).toMatchObject([{ connector: '29' }])
  })
  it('shows which rate limit a connector waits for, and until when', async () => {
    const waitingUntil = Date.now() + 20 * 60_000
    statuses = [connectorStatus({ waitingUntil, waitingFor: 'messagesPerHour' })]
    expect((await relay('connector list')).out).toMatch(/ready .* messagesPerHour until \d{4}-[\dT:-]+ +-$/m)
    const { out } = await relay('connector show 29')
    expect(out).toMatch(/^Rate limit +messagesPerHour until \S+ \(in (20m|19m 59s)\)$/m)
    expect(jsonLines((await relay('connector list --json')).out)).toMatchObject([
      { state: 'ready', waitingUntil, waitingFor: 'messagesPerHour' },
    ])
  })
  it('shows connectors while the store is away', async () => {
    queue.fault = new QueueUnavailable('Redis is away')
    expect((await relay('connector show 29')).out).toMatch(/^Queue +unknown: the store cannot be read now$/m)
    expect((await relay('connector list')).code).toBe(0)
  })
  it('fails for one that does not exist', async () => {
    expect(await relay('connector show 4')).toMatchObject({
      code: 1,
      err: 'There is no connector 4\n',
    })
  })
})

describe('what cannot be done', () => {
  it('says that the relay does not run', async () => {
    await port.admin.stop()
    expect(await relay('queue list')).toEqual({
      out: '',
      err: `Cannot reach the relay at ${port.url}: connection refused. Is it running?\n`,
      code: 1,
    })
  })

  it('passes on why the relay cannot read its queue', async () => {
    queue.fault = new QueueUnavailable('Redis is away')
    expect(await relay('queue list')).toMatchObject({
      code: 1,
      err: 'The queue cannot be read: Redis is away\n',
    })
  })

  it('calls wrong parameters wrong usage', async () => {
    expect(await relay('queue list --state held')).toEqual({
      out: '',
      err: 'error: state must be ready, deferred, leased or suspended\n',
      code: 2,
    })
  })

  it.each(['queue list --limit 0', 'queue list --limit many', 'queue show 4711'])(
    'refuses %s before it asks',
    async (args) => {
      await port.admin.stop()
      const { err } = await relay(args)
      expect(err).toMatch(/is invalid.* It must be/)
    },
  )

  it('is not misled by another server on that port', async () => {
    const other = createServer((_request, response) => response.end('{"items":"none"}'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    expect(await relay('queue list', { url })).toMatchObject({
      code: 1,
      err: `What answers at ${url} is not a relay of this version\n`,
    })
    await new Promise((resolve) => other.close(resolve))
  })
})

describe('the relay that a configuration names', () => {
  let directory: string
  let file: string
  const configure = (address: string, port: number | string) =>
    writeFileSync(
      file,
      `hostname: relay.example.com
listeners: [{ name: exchange, port: 2525 }]
connectors:
  - id: 29
    name: Newsletter provider
    addressSpaces: ["*"]
    smartHosts: [smtp.example.com]
    requireTLS: true
    smartHostAuthMechanism: basicAuthRequireTLS
    user: newsletter@example.com
    password: { env: NO_SUCH_VARIABLE }
admin: { address: "${address}", port: ${port} }
`,
    )

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))
    file = join(directory, 'relay.yaml')
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it.each(['127.0.0.1', '0.0.0.0'])('is asked at %s, without its secrets', async (address) => {
    configure(address, port.admin.port)
    const { out, err } = await relay(`queue list --json --config ${file}`)
    expect(err).toBe('')
    expect(jsonLines(out)).toHaveLength(1)
  })

  it('must be named otherwise where its port is free to change', async () => {
    configure('127.0.0.1', 0)
    expect(await relay(`queue list --config ${file}`)).toEqual({
      out: '',
      err: `${file} leaves the admin port to chance (port: 0): name it with --admin <url>\n`,
      code: 1,
    })
  })

  it('must be named otherwise where the configuration is broken', async () => {
    configure('127.0.0.1', 'many')
    const { err, code } = await relay(`queue list --config ${file}`)
    expect(code).toBe(1)
    expect(err).toContain('Cannot learn the admin port, name it with --admin <url>:')
    expect(err).toContain(`${file}:12: admin.port: must be`)
  })

  it('must have a configuration that exists', async () => {
    const { err, code } = await relay(`queue list --config ${file}`)
    expect(code).toBe(1)
    expect(err).toContain(`${file}: the configuration cannot be read: `)
  })
})
