/** How a queue is called: by the name of its connector, where it has one. Pure. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { Words } from './words-en.ts'

interface Known {
  readonly connectors: readonly Pick<ConnectorView, 'connector' | 'name'>[]
  readonly words: Pick<Words, 'unreachable'>
}

const unreachable = 'unreachable'

/** Exchange's word for the queue of what has no route; the id alone where nothing more is known. */
export function connectorName(id: string, { connectors, words }: Known): string {
  const name = connectors.find(({ connector }) => connector === id)?.name
  return name ?? (id === unreachable ? words.unreachable : id)
}

/** Where people compare it with what the log or the configuration says. */
export function connectorNameAndId(id: string, known: Known): string {
  const name = connectorName(id, known)
  return name === id || id === unreachable ? name : `${name} (${id})`
}
