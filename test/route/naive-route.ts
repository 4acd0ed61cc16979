/**
 * Routing as the prose tells it, with no index and no cleverness: the measure that the table is held to.
 * It shares nothing with `src/route` but the parser of address spaces.
 */
import { parseAddressSpace } from '../../src/route/address-space.ts'
import type { Question } from '../../src/route/route.ts'
import type { RoutableConnector, RoutingConfig } from '../../src/route/routes.ts'

/** A connector's id, `unreachable`, or the code of the refusal. */
export function naiveRoute(config: RoutingConfig, question: Question): string {
  const domain = question.recipient.slice(question.recipient.lastIndexOf('@') + 1)
  const matching = (connector: RoutableConnector) =>
    spaces(connector).filter((space) => matches(space.pattern, domain))
  const tooSmall = (connector: RoutableConnector) => (question.sizeBytes ?? 0) > connector.maxSendSize

  const bound = boundTo(config, question.sender)
  if (bound !== null) {
    const connector = config.connectors.find(({ id }) => id === bound)
    if (!connector) return '451 4.3.5'
    if (connector.addressSpaces.length === 0 || matching(connector).length > 0) {
      if (!connector.enabled) return '451 4.3.2'
      return tooSmall(connector) ? '552 5.3.4' : connector.id
    }
  }

  const able = config.connectors
    .filter((connector) => connector.enabled)
    .flatMap((connector) => matching(connector).map((space) => ({ connector, space })))
  const [best] = able
    .filter(({ connector }) => !tooSmall(connector))
    .sort(
      (a, b) =>
        precision(b.space.pattern) - precision(a.space.pattern) ||
        a.space.cost - b.space.cost ||
        (a.connector.name.toLowerCase() < b.connector.name.toLowerCase() ? -1 : 1),
    )
  if (best) return best.connector.id

  const defaults = config.connectors.filter((connector) => connector.default && connector.enabled)
  if (defaults[0] && !tooSmall(defaults[0])) return defaults[0].id
  if (able.length > 0 || defaults.length > 0) return '552 5.3.4'
  return config.routing.unroutable === 'hold' ? 'unreachable' : '550 5.4.4'
}

function boundTo(config: RoutingConfig, sender: string | null): string | null {
  if (sender === null) return null
  for (const binding of config.senders)
    if ('address' in binding && binding.address.toLowerCase() === sender.toLowerCase())
      return binding.connector
  for (const binding of config.senders)
    if ('domain' in binding && sender.endsWith(`@${binding.domain}`)) return binding.connector
  return null
}

function spaces(connector: RoutableConnector) {
  return connector.addressSpaces.map((text) => {
    const space = parseAddressSpace(text)
    if ('error' in space) throw new Error(space.error)
    return space
  })
}

function matches(pattern: string, domain: string): boolean {
  if (pattern === '*') return true
  if (domain.startsWith('[')) return false
  if (!pattern.startsWith('*.')) return pattern === domain
  return domain === pattern.slice(2) || domain.endsWith(pattern.slice(1))
}

/** An exact domain beats every wildcard; of two wildcards the longer is the more precise. */
function precision(pattern: string): number {
  return pattern === '*' ? 0 : pattern.startsWith('*.') ? pattern.split('.').length : 1000
}
