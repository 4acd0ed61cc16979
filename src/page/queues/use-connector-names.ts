/** The names of connectors for a view that shows ids which others have written down. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { pathOf } from '../client.ts'
import { usePolled } from '../polling.ts'
import { connectorNameAndId } from './connector-name.ts'
import { useQueueWords } from './words.ts'

/** The id alone until the names are there, and for a connector that was removed since. */
export function useConnectorNames(): (connector: string) => string {
  const words = useQueueWords()
  const { answer } = usePolled<{ connectors: ConnectorView[] }>(pathOf(['connectors']))
  const connectors = answer?.connectors ?? []
  return (connector) => connectorNameAndId(connector, { connectors, words })
}
