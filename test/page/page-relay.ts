/** A relay as the page is used with: the sandbox as its smart host, and a token that may do everything. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectorTo, RelayProcess } from '../support/relay-process.ts'

export interface PageRelay {
  readonly relay: RelayProcess
  readonly token: string
}

export async function startPageRelay(change: Record<string, unknown> = {}): Promise<PageRelay> {
  const relay = await RelayProcess.start({ sandbox: { port: 0 }, connectors: [connectorTo(1)], ...change })
  const token = (await readFile(join(relay.directory, 'data', 'admin-token'), 'utf8')).trim()
  return { relay, token }
}
