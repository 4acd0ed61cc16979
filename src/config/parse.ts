/**
 * From the text of the configuration to the configuration, or to everything that is wrong with it: syntax, keys
 * and values, and what contradicts what. Pure: secrets and certificates are read afterwards (load.ts).
 */
import { withDemandedTls } from './connector.ts'
import { connectorFindings } from './connector-checks.ts'
import { dkimFindings } from './dkim-checks.ts'
import { type ConfigDraft, draftOf } from './draft.ts'
import { schemaFindings } from './findings.ts'
import { listenerFindings } from './listener-checks.ts'
import type { Path } from './path.ts'
import { policyFindings } from './policy-checks.ts'
import { type Problem, problemsOf } from './problem.ts'
import { queueFindings } from './queue-checks.ts'
import { type Config, configSchema } from './schema.ts'
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
  const value = withoutEmptySections(source.value)
  const draft = draftOf(value)
  const lineOf = (path: Path) => source.lineOf(path)
  const { errors, warnings } = problemsOf(
    [
      ...schemaFindings(value),
      ...listenerFindings(draft),
      ...connectorFindings(draft, value),
      ...senderFindings(draft),
      ...queueFindings(draft),
      ...policyFindings(draft),
      ...dkimFindings(draft),
    ],
    lineOf,
  )
  if (errors.length > 0) return { errors, warnings, draft, lineOf }
  const config = configSchema.parse(value)
  return { config: { ...config, connectors: config.connectors.map(withDemandedTls) }, warnings, lineOf }
}

/** A section whose every key is commented out reads as null in YAML. It means its defaults, like one that is left out. */
function withoutEmptySections(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const isEmptySection = (key: string, field: unknown) => {
    const schema = configSchema.shape[key as keyof typeof configSchema.shape]
    return field === null && schema?._zod.def.type === 'prefault'
  }
  return Object.fromEntries(Object.entries(value).filter(([key, field]) => !isEmptySection(key, field)))
}
