/** A setup on a real embedded state, with a configuration file of its own; what it records is kept. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoadedConfig } from '../../src/config/load.ts'
import { parseConfig } from '../../src/config/parse.ts'
import type { MailEvent } from '../../src/observe/events.ts'
import { createLog } from '../../src/observe/log.ts'
import { Setup } from '../../src/setup/setup.ts'
import { openEmbeddedState } from '../../src/state/embedded-state.ts'
import { parseSecretKey, SecretBox } from '../../src/state/secrets.ts'
import type { StateStore } from '../../src/state/state.ts'
import { TestClock } from './test-clock.ts'

/** The key of these tests. */
export const stateKey = parseSecretKey(Buffer.alloc(32, 7).toString('base64'))
if ('error' in stateKey) throw new Error(stateKey.error)
export const box = new SecretBox({ current: stateKey, former: [] })

/** A file with one connector, 29, and nothing else that differs from the defaults. */
export const plainFile = `
hostname: relay.example.com
listeners: [{ name: exchange, port: 2525 }]
connectors: [{ id: 29, name: Of the file, addressSpaces: ["*"], smartHosts: [192.0.2.29] }]
`

/** What the relay would have loaded; secrets that the file names are not read. */
export function loadedFrom(yaml: string): LoadedConfig {
  const parsed = parseConfig(yaml)
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors))
  const { config } = parsed
  return {
    file: 'relay.yaml',
    config,
    connectors: config.connectors.map((connector) => ({
      ...connector,
      password: null,
      ca: null,
      clientCertificate: null,
      fqdn: connector.fqdn ?? config.hostname,
    })),
    checkers: [],
    redis: { ...config.queue.redis, password: null },
    dkimKeys: [],
    stateKeys: { current: null, former: [] },
    warnings: [],
  }
}

export interface RunningSetup {
  readonly setup: Setup
  readonly state: StateStore
  readonly clock: TestClock
  /** The audit. */
  readonly events: MailEvent[]
  /** Lines of the log, whole. */
  readonly lines: string[]
  close(): Promise<void>
}

/** `state`: of another node, instead of an own one. */
export async function runSetup(
  options: { yaml?: string; box?: SecretBox | null; state?: StateStore } = {},
): Promise<RunningSetup> {
  const lines: string[] = []
  const log = createLog({ level: 'debug', destination: { write: (line: string) => void lines.push(line) } })
  const dir = await mkdtemp(join(tmpdir(), 'relay-setup-'))
  const state = options.state ?? (await openEmbeddedState({ dir, log }))
  const clock = new TestClock()
  const events: MailEvent[] = []
  const setup = await Setup.open({
    loaded: loadedFrom(options.yaml ?? plainFile),
    state,
    box: options.box === undefined ? box : options.box,
    clock,
    log,
    record: (event) => void events.push(event),
  })
  const close = async () => {
    setup.stop()
    if (options.state === undefined) await state.close()
    await rm(dir, { recursive: true })
  }
  return { setup, state, clock, events, lines, close }
}
