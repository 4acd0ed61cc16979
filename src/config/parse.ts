/**
 * From the text of the configuration to the configuration, or to everything that is wrong with it: syntax, keys
 * and values, and what contradicts what. Pure: secrets and certificates are read afterwards (load.ts).
 */
import { connectorFindings } from './connector-checks.ts'
import { type ConfigDraft, draftOf } from './draft.ts'
import { schemaFindings } from './findings.ts'
import { listenerFindings } from './listener-checks.ts'
import type { Path } from './path.ts'
import { type Problem, problemsOf } from './problem.ts'
import { queueFindings } from './queue-checks.ts'
import { type Config, type ConnectorConfig, configSchema } from './schema.ts'
import { senderFindings } from './sender-checks.ts'
import { readYaml } from './yaml-source.ts'

export interface ParsedConfig {
  readonly config: Config
  readonly warnings: readonly Problem[]
  lineOf(path: Path): number | null
}

export interface RejectedConfig {
  readonly errors: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** What can be read of it, so that its secrets and files are checked in the same go; null without syntax. */
  readonly draft: ConfigDraft | null
  lineOf(path: Path): number | null
}

export function parseConfig(text: string): ParsedConfig | RejectedConfig {
  const source = readYaml(text)
  if ('errors' in source) return { ...source, warnings: [], draft: null, lineOf: () => null }
  const draft = draftOf(source.value)
  const lineOf = (path: Path) => source.lineOf(path)
  const { errors, warnings } = problemsOf(
    [
      ...schemaFindings(source.value),
      ...listenerFindings(draft),
      ...connectorFindings(draft, source.value),
      ...senderFindings(draft),
      ...queueFindings(draft),
    ],
    lineOf,
  )
  if (errors.length > 0) return { errors, warnings, draft, lineOf }
  const config = configSchema.parse(source.value)
  return { config: { ...config, connectors: config.connectors.map(withDemandedTls) }, warnings, lineOf }
}

/** `requireTLS` is true wherever something else demands TLS, so that whoever sends has to ask only that. */
function withDemandedTls(connector: ConnectorConfig): ConnectorConfig {
  const demanded = connector.tls === 'implicit' || connector.smartHostAuthMechanism === 'basicAuthRequireTLS'
  return demanded ? { ...connector, requireTLS: true } : connector
}
