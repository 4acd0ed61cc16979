/** What the fields of a connector are given, wherever they stand: in the wizard or on the pages of a connector. */
import type { Problem } from '../client.ts'
import type { ConnectorDraft } from './connector-draft.ts'

export interface DraftFieldsProps {
  readonly draft: ConnectorDraft
  change(change: Partial<ConnectorDraft>): void
  /** What is wrong with a setting of the API: `smartHosts`, also for `smartHosts.0`. */
  wrong(setting: string): string | null
  /** Nothing can be changed here. */
  readonly readOnly: boolean
}

/** What a problem says of a setting; the API's sentence begins with its name, which stands beside it already. */
export function wrongAt(problem: Problem | null, setting: string): string | null {
  const field = problem?.field ?? null
  if (problem === null || field === null || !isWithin(field, setting)) return null
  const text = problem.message.startsWith(`${field} `)
    ? problem.message.slice(field.length + 1)
    : problem.message
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

export function isWithin(field: string, setting: string): boolean {
  return field === setting || field.startsWith(`${setting}.`)
}

/** Which of a list is wrong: 1 of `addressSpaces.1`. */
export function wrongIndex(problem: Problem | null, setting: string): number | null {
  const field = problem?.field ?? ''
  const [, index] = new RegExp(`^${setting}\\.(\\d+)`).exec(field) ?? []
  return index === undefined ? null : Number(index)
}
