/**
 * OVHcloud's guide to send connectors, step by step and in its order, on a relay as it is run: by its own client, which
 * signs and speaks https only, and by curl.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { makeCertificates } from '../support/certificates.ts'
import { closeAfterwards, startHost, startRelay } from '../support/end-to-end.ts'
import {
  type ClientOptions,
  curl,
  npmOvh,
  type OvhcloudClient,
  OvhcloudRefused,
} from '../support/ovhcloud-clients.ts'
import { connectorTo, type RelayProcess, runRelay } from '../support/relay-process.ts'
import { submit } from '../support/submit.ts'

const certificates = makeCertificates()
afterAll(() => certificates.remove())
const file = async (name: string, content: string): Promise<string> => {
  const path = join(certificates.directory, name)
  await writeFile(path, content, { mode: 0o600 })
  return path
}

interface Platform {
  readonly relay: RelayProcess
  /** What mail without a connector of its own leaves by. */
  readonly outgoing: Sandbox
  /** The smart host of the guide's connector. */
  readonly provider: Sandbox
  readonly client: ClientOptions
}

/** Its admin port speaks TLS; the provider's certificate is one that the system trusts. */
async function startPlatform(): Promise<Platform> {
  const caFile = await file('ca.pem', certificates.ca)
  const certificate = {
    cert: await file('admin.pem', certificates.address.cert),
    key: await file('admin.key', certificates.address.key),
  }
  const outgoing = await startHost()
  const provider = await startHost({
    certificate: certificates.address,
    user: 'provider',
    password: 'top secret',
  })
  const relay = await startRelay(
    {
      admin: { port: 0, certificate },
      connectors: [connectorTo(outgoing.port, { id: 'outgoing', name: 'Outgoing mail server' })],
    },
    { NODE_EXTRA_CA_CERTS: caFile },
  )
  const port = relay.lines.find(({ msg }) => msg === 'admin port open')!.port as number
  return {
    relay,
    outgoing,
    provider,
    client: { port, caFile, ...(await newApplication(relay, { port, caFile })) },
  }
}

/** As an administrator makes it. */
async function newApplication(
  relay: RelayProcess,
  { port, caFile }: { port: number; caFile: string },
): Promise<Pick<ClientOptions, 'applicationKey' | 'applicationSecret' | 'consumerKey'>> {
  const { code, stdout } = await runRelay(
    ['token', 'new', 'Guide', '--scope', 'admin', '--ovhcloud', '--admin', `https://127.0.0.1:${port}`],
    { RELAY_CONFIG: join(relay.directory, 'relay.yaml'), NODE_EXTRA_CA_CERTS: caFile },
  )
  expect(code).toBe(0)
  const printed = new Map(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/=(.*)/s) as [string, string]),
  )
  expect([...printed.keys()]).toEqual(['OVH_APPLICATION_KEY', 'OVH_APPLICATION_SECRET', 'OVH_CONSUMER_KEY'])
  const [applicationKey, applicationSecret, consumerKey] = [...printed.values()] as [string, string, string]
  return { applicationKey, applicationSecret, consumerKey }
}

const service = '/email/exchange/private-zz111111-1/service/private-zz111111-1'
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/)
const newsletter = 'newsletter@example.com'
/** Without it the guide's platform refuses an account. */
const spamAndVirusConfiguration = { deleteVirus: true }

/** The steps, against one platform. */
class Guide {
  readonly #platform: Platform
  readonly #client: OvhcloudClient
  #sent = 0

  constructor(platform: Platform, client: OvhcloudClient) {
    this.#platform = platform
    this.#client = client
  }

  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  call(method: string, path: string, parameters?: object): Promise<any> {
    return this.#client.call(method, service + path, parameters)
  }

  async refusal(method: string, path: string, parameters?: object): Promise<string> {
    const error = await this.call(method, path, parameters).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(OvhcloudRefused)
    return (error as Error).message
  }

  /** A task runs: it is asked for until it is done. */
  async done(task: { id: number; function: string; status: string }): Promise<void> {
    expect(task).toEqual({ ...task, status: 'todo', todoDate: instant, finishDate: null })
    for (;;) {
      const now = await this.call('GET', `/task/${task.id}`)
      if (now.status === 'done') return expect(now).toEqual({ ...task, status: 'done', finishDate: instant })
      expect(now).toEqual({ ...task, status: 'doing' })
      await delay(100)
    }
  }

  /** Sends a letter, and reads at the recipient which way it came: the fields above our trace field tell. */
  async send(from: string, header = ''): Promise<string> {
    const { relay, outgoing, provider } = this.#platform
    const subject = `Letter ${++this.#sent}`
    const content = `${header}From: <${from}>\r\nSubject: ${subject}\r\n\r\nHello\r\n`
    await submit(relay, { from, to: ['john.smith@example.net'], content })
    await relay.until(() => relay.events('delivered').length === this.#sent)
    const [way, message] = [['outgoing', outgoing] as const, ['provider', provider] as const].flatMap(
      ([name, { messages }]) =>
        messages.filter(({ raw }) => raw.includes(subject)).map(({ raw }) => [name, raw.toString()] as const),
    )[0]!
    expect(message.endsWith(content)).toBe(true)
    const marked = /^x-mclm-sbr-processed: true\r\nReceived: /.test(message)
    expect(message.match(/^x-mclm-sbr-processed/gim)?.length ?? 0).toBe(marked || header !== '' ? 1 : 0)
    return marked ? `${way}, marked` : way
  }
}

const clients = [
  ['npm ovh', npmOvh],
  ['curl', curl],
] as const

describe.each(clients)('the guide, by %s', (_name, clientOf) => {
  it('works in each of its steps', async () => {
    const platform = await startPlatform()
    const client = clientOf(platform.client)
    closeAfterwards(() => client.stop())
    const guide = new Guide(platform, client)
    const { provider } = platform
    expect(await guide.call('GET', '/sendConnector')).toEqual([])
    expect(await guide.send(newsletter)).toBe('outgoing')

    // 1. Add a connector, find its number, read it.
    const task = await guide.call('POST', '/sendConnector', {
      displayName: 'testconnector',
      smartHost: '127.0.0.1',
      port: provider.port,
      requireTLS: true,
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'provider',
      password: 'top secret',
    })
    expect(task.function).toBe('addSendConnector')
    const [id, ...others] = await guide.call('GET', '/sendConnector')
    expect([id, others]).toEqual([1, []])
    expect(await guide.call('GET', `/sendConnector/${id}`)).toMatchObject({
      state: 'creating',
      taskPendingId: task.id,
    })
    await guide.done(task)
    const connector = await guide.call('GET', `/sendConnector/${id}`)
    expect(connector).toEqual({
      smartHost: '127.0.0.1',
      displayName: 'testconnector',
      state: 'ok',
      maxSendSize: 100,
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      port: provider.port,
      lastUpdateDate: null,
      creationDate: instant,
      taskPendingId: 0,
      id,
      requireTLS: true,
      default: false,
      dnsRouting: false,
    })

    // 2. Attach it to an address, 3. send from there, and look at the header.
    const attach = { sendConnectorId: id, spamAndVirusConfiguration }
    expect(await guide.call('PUT', `/account/${newsletter}`, attach)).toBeNull()
    expect(await guide.call('GET', `/account/${newsletter}`)).toMatchObject({ sendConnectorId: id })
    expect(await guide.send(newsletter)).toBe('provider, marked')
    expect(await guide.send(newsletter, 'X-MCLM-SBR-Processed: true\r\n')).toBe('provider')
    expect(await guide.send('contact@example.com')).toBe('outgoing')

    // Detach it.
    const detach = { sendConnectorId: 0, spamAndVirusConfiguration }
    expect(await guide.call('PUT', `/account/${newsletter}`, detach)).toBeNull()
    expect(await guide.send(newsletter)).toBe('outgoing')

    // Make it the default of a domain, and reset that.
    const defaultOf = (sendConnectorIdDefault: number) =>
      guide.call('PUT', '/domain/example.com/changeDefaultSBR', { sendConnectorIdDefault })
    expect(await defaultOf(id)).toBeNull()
    expect(await guide.send('contact@example.com')).toBe('provider, marked')
    expect(await guide.send(newsletter)).toBe('outgoing')
    expect(await defaultOf(0)).toBeNull()
    expect(await guide.send('contact@example.com')).toBe('outgoing')

    // Edit it, and change its authentication.
    const edited = { ...connector, displayName: 'newsletter', maxSendSize: 20 }
    expect(await guide.call('PUT', `/sendConnector/${id}`, edited)).toBeNull()
    expect(await guide.call('GET', `/sendConnector/${id}`)).toMatchObject({
      displayName: 'newsletter',
      maxSendSize: 20,
      lastUpdateDate: instant,
    })
    const login = { smartHostAuthMechanism: 'basicAuth', user: 'provider', password: 'top secret' }
    await guide.done(await guide.call('POST', `/sendConnector/${id}/changeAuthentication`, login))
    expect(await guide.call('GET', `/sendConnector/${id}`)).toMatchObject({
      smartHostAuthMechanism: 'basicAuth',
      requireTLS: true,
    })
    expect(await guide.call('PUT', `/account/${newsletter}`, attach)).toBeNull()
    expect(await guide.send(newsletter)).toBe('provider, marked')

    // Delete it: not while somebody has it.
    expect(await guide.refusal('DELETE', `/sendConnector/${id}`)).toBe(
      `409 The connector ${id} is in use, with 1 sender bound to it: ${newsletter}`,
    )
    expect(await guide.call('PUT', `/account/${newsletter}`, detach)).toBeNull()
    await guide.done(await guide.call('DELETE', `/sendConnector/${id}`))
    expect(await guide.call('GET', '/sendConnector')).toEqual([])
    expect(await guide.refusal('GET', `/sendConnector/${id}`)).toContain('404')
    expect(await guide.send(newsletter)).toBe('outgoing')
  }, 60_000)
})
