/** Send connectors: the list, the pages of one of them, and the wizard that makes one. */
import type { ViewProps } from '../view.ts'
import './connectors.css'
import { ConnectorDetails } from './connector-details.tsx'
import { ConnectorList } from './connector-list.tsx'
import { Wizard } from './wizard.tsx'

export function ConnectorsView({ route }: ViewProps) {
  const [id] = route.parts
  if (id === undefined) return <ConnectorList />
  // No connector can be called so: POST /connectors/test and the like are the API's own words.
  if (id === 'new') return <Wizard route={route} />
  return <ConnectorDetails key={id} id={id} route={route} />
}
