/**
 * What end-to-end tests start, ended after each of them: relays in processes of their own, and sandboxes that
 * keep what the books need. No relay of these tests has reason to log an error of its own, whatever its peers do.
 */
import { afterEach, expect } from 'vitest'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/lab/sandbox.ts'
import { RawServer, type RawServerOptions } from './raw-server.ts'
import { RelayProcess } from './relay-process.ts'

const closing: (() => unknown)[] = []
const relays: RelayProcess[] = []

afterEach(async () => {
  const errors = relays
    .splice(0)
    .flatMap((relay) => relay.history)
    .filter(({ level }) => level === 'error' || level === 'fatal')
  for (const close of closing.splice(0).reverse()) await close()
  expect(errors).toEqual([])
})

/** Waits as short as the configuration allows, so that what is tried again comes within the test. */
export const quickRetries = { connectionRetry: ['1s'], messageRetry: ['1s'] }

export async function startRelay(
  config: Record<string, unknown>,
  env: Record<string, string> = {},
): Promise<RelayProcess> {
  const relay = await RelayProcess.start(config, env)
  relays.push(relay)
  closing.push(() => relay.destroy())
  return relay
}

/** User and password are those of `connectorTo`. */
export async function startHost(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({
    user: 'sandbox',
    password: 'sandbox',
    keepLedger: true,
    keepMessages: 1000,
    ...options,
  })
  closing.push(() => sandbox.stop())
  return sandbox
}

export async function startRawHost(options: RawServerOptions = {}): Promise<RawServer> {
  const server = await RawServer.start(options)
  closing.push(() => server.close())
  return server
}

/** For what a test starts beside these. */
export function closeAfterwards(close: () => unknown): void {
  closing.push(close)
}
