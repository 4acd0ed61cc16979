/**
 * A test of a connector: each address of each of its smart hosts, tried as mail would try it, one after the other. It
 * sends no mail, asks nobody but those hosts, and comes to an end within a minute whatever they do.
 */
import type { Connector } from '../config/connector.ts'
import { type HostTrial, type Step, tryHost } from './host-trial.ts'
import { systemResolver } from './resolve.ts'

export interface TestedHost extends Omit<HostTrial, 'loginRefused'> {
  readonly smartHost: string
  /** Null where the name has none, or none was looked for. */
  readonly address: string | null
}

export interface TestedConnector {
  readonly ok: boolean
  readonly hosts: readonly TestedHost[]
}

export interface TestOptions {
  /** When it is aborted the test resolves soon, with what was found until then. */
  readonly signal?: AbortSignal
  /** For one connection, which a working host needs a second for. */
  readonly openMs?: number
  /** Nothing is begun after it; what is under way then may be a look-up of a name, which takes 20 s at most. */
  readonly beginMs?: number
}

export async function testHosts(connector: Connector, options: TestOptions = {}): Promise<TestedConnector> {
  const test = new HostsTest(connector, options)
  for (const smartHost of connector.smartHosts) await test.host(smartHost)
  const { hosts } = test
  return { ok: hosts.every(({ steps }) => steps.every((step) => step.ok)), hosts }
}

class HostsTest {
  readonly hosts: TestedHost[] = []
  readonly #connector: Connector
  readonly #signal: AbortSignal | undefined
  readonly #openMs: number
  readonly #until: number
  #withoutLogin: string | null = null

  constructor(connector: Connector, { signal, openMs = 15_000, beginMs = 40_000 }: TestOptions) {
    this.#connector = connector
    this.#signal = signal
    this.#openMs = openMs
    this.#until = performance.now() + beginMs
  }

  async host(smartHost: string): Promise<void> {
    if (this.#isOver) return void this.hosts.push(notResolved(smartHost, outOfTime))
    const resolution = await systemResolver(smartHost)
    if ('error' in resolution) {
      this.hosts.push(notResolved(smartHost, `No address for ${smartHost}: ${resolution.error}`))
      return
    }
    for (const address of resolution.tiers.flat()) this.hosts.push(await this.#address(smartHost, address))
  }

  async #address(smartHost: string, address: string): Promise<TestedHost> {
    const resolved: Step = { step: 'resolve', ok: true, text: address }
    if (this.#isOver) {
      const steps: Step[] = [resolved, { step: 'connect', ok: false, text: outOfTime }]
      return { smartHost, address, steps, extensions: [], certificate: null }
    }
    const host = { name: smartHost, address }
    const options = { withoutLogin: this.#withoutLogin, openMs: this.#openMs, signal: this.#signal }
    const { loginRefused, ...trial } = await tryHost(this.#connector, host, options)
    // Wrong credentials are wrong at every host of the connector; trying them all gets accounts locked.
    if (loginRefused) this.#withoutLogin = 'not tried: another host has refused the credentials'
    return { smartHost, address, ...trial, steps: [resolved, ...trial.steps] }
  }

  get #isOver(): boolean {
    return this.#signal?.aborted === true || performance.now() >= this.#until
  }
}

const outOfTime = 'not tried: the hosts before it took too long'

function notResolved(smartHost: string, text: string): TestedHost {
  const steps: Step[] = [{ step: 'resolve', ok: false, text }]
  return { smartHost, address: null, steps, extensions: [], certificate: null }
}
