/** What end-to-end tests of policy share: a relay with that policy before a sandbox, and ways to read what came of it. */
import type { KeptMessage, Sandbox } from '../../src/lab/sandbox.ts'
import { closeAfterwards, quickRetries, startHost, startRelay } from './end-to-end.ts'
import { connectorTo, type LogLine, type RelayProcess } from './relay-process.ts'
import { type StoreName, startStore } from './stores.ts'

export interface PolicyRelay {
  readonly relay: RelayProcess
  readonly host: Sandbox
}

export async function startPolicyRelay(
  policy: Record<string, unknown>,
  options: {
    readonly store?: StoreName
    readonly host?: Sandbox
    readonly config?: Record<string, unknown>
    readonly env?: Record<string, string>
  } = {},
): Promise<PolicyRelay> {
  const host = options.host ?? (await startHost())
  const store = await startStore(options.store ?? 'embedded')
  closeAfterwards(() => store.destroy())
  const relay = await startRelay(
    {
      queue: store.queue,
      connectors: [connectorTo(host.port)],
      delivery: quickRetries,
      policy,
      ...options.config,
    },
    options.env,
  )
  return { relay, host }
}

/** Without our trace field, which stands first. */
export function withoutTrace({ raw }: KeptMessage): string {
  const text = raw.toString('latin1')
  const end = /^Received: (?:.*\r\n)(?:[ \t].*\r\n)*/.exec(text)![0].length
  return text.slice(end)
}

export const recipientsOf = (message: KeptMessage): string[] =>
  message.envelope.to.map(({ address }) => address)

/** The only message that this recipient got. */
export function messageTo({ messages }: Sandbox, address: string): KeptMessage {
  const found = messages.filter((message) => recipientsOf(message).includes(address))
  if (found.length !== 1) throw new Error(`${address} got ${found.length} messages`)
  return found[0]!
}

/** So many lines of the log, which is written a little later than mail is answered. */
export async function logged(relay: RelayProcess, event: string, count = 1): Promise<LogLine[]> {
  await relay.until(() => relay.events(event).length >= count)
  return relay.events(event)
}
