/**
 * What an import would be, before it is sent: its lines as the API reads them, by the API's own reader. What only the
 * relay knows, it says when they are sent. Pure.
 */
import { csvLines } from '../../admin/senders/sender-csv.ts'

export interface ImportPreview {
  readonly good: number
  readonly bad: number
  /** The first of them. */
  readonly problems: readonly LineProblem[]
}

export type LineProblem =
  | { readonly line: number; readonly kind: 'fields' | 'sender' }
  | { readonly line: number; readonly kind: 'connector'; readonly connector: string }

const mostShown = 10

export function previewOf(text: string, connectors: ReadonlySet<string>): ImportPreview {
  let good = 0
  let bad = 0
  const problems: LineProblem[] = []
  for (const line of csvLines(text.replace(/^\uFEFF/, ''))) {
    const problem = problemIn(line, connectors)
    if (problem === null) good += 1
    else bad += 1
    if (problem !== null && problems.length < mostShown) problems.push(problem)
  }
  return { good, bad, problems }
}

export function isSender(text: string): boolean {
  return /^[^\s@]*(@|".*"@)[^\s@.]+(\.[^\s@.]+)*$/.test(text.trim())
}

function problemIn(
  line: ReturnType<typeof csvLines> extends Iterable<infer Line> ? Line : never,
  connectors: ReadonlySet<string>,
): LineProblem | null {
  const at = line.line
  if ('problem' in line) return { line: at, kind: 'fields' }
  if (!isSender(line.sender)) return { line: at, kind: 'sender' }
  const { connector } = line
  return connector === '0' || connectors.has(connector) ? null : { line: at, kind: 'connector', connector }
}
