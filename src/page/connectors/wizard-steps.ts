/** The steps of the wizard: what stands in each, and what must be right before the next one. Pure. */
import { type ConnectorDraft, isCount, isPort, isSizeMB, limitNames } from './connector-draft.ts'
import { isWithin } from './draft-fields.ts'
import type { ConnectorWords } from './words-en.ts'

export const steps = ['type', 'hosts', 'authentication', 'spaces', 'security', 'limits', 'summary'] as const
export type Step = (typeof steps)[number]

const settings: Readonly<Record<Step, readonly string[]>> = {
  type: ['name', 'id'],
  hosts: ['smartHosts'],
  authentication: ['smartHostAuthMechanism', 'user', 'password'],
  spaces: ['addressSpaces', 'default'],
  security: ['port', 'tls', 'requireTLS', 'tlsAuthLevel', 'tlsDomain', 'ca', 'clientCertificate', 'fqdn'],
  limits: ['maxSendSize', 'limits', 'protocolLogging'],
  summary: [],
}

/** Where the field of a refusal is; null where it is in none. */
export function stepOf(field: string | null): Step | null {
  if (field === null) return null
  return steps.find((step) => settings[step].some((setting) => isWithin(field, setting))) ?? null
}

/** Of the settings of one step, those that cannot be right, each with what to say. */
export function faultsIn(
  step: Step,
  draft: ConnectorDraft,
  words: ConnectorWords,
): ReadonlyMap<string, string> {
  return new Map(faults[step](draft, words))
}

type Faults = (draft: ConnectorDraft, words: ConnectorWords) => [setting: string, text: string][]

const faults: Readonly<Record<Step, Faults>> = {
  type: ({ name }, { nameMissing }) => when(name.trim() === '', 'name', nameMissing),
  hosts: ({ smartHosts }, { smartHostsMissing }) =>
    when(smartHosts.length === 0, 'smartHosts', smartHostsMissing),
  authentication: ({ authentication, user, password }, words) =>
    authentication === 'none'
      ? []
      : [
          ...when(user === '', 'user', words.userMissing),
          ...when(password === '', 'password', words.passwordMissing),
        ],
  spaces: () => [],
  security: ({ port }, { portWrong }) => when(!isPort(port), 'port', portWrong),
  limits: limitFaults,
  summary: () => [],
}

/** Two of the limits always hold; the others may be left empty. */
function limitFaults({ maxSendSize, limits }: ConnectorDraft, words: ConnectorWords): [string, string][] {
  return [
    ...when(!isSizeMB(maxSendSize), 'maxSendSize', words.sizeWrong),
    ...limitNames.flatMap((name) => {
      const needed = name === 'connections' || name === 'messagesPerConnection'
      if (isCount(limits[name]) || (!needed && limits[name].trim() === '')) return []
      return when(true, `limits.${name}`, needed ? words.numberWrong : words.limitWrong)
    }),
  ]
}

const when = (wrong: boolean, setting: string, text: string): [string, string][] =>
  wrong ? [[setting, text]] : []
