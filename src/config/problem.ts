/** What is wrong with a configuration, or only doubtful: where it stands, and what would be right. */
import { formatPath, type Path } from './path.ts'

/** What a check finds: an error stops the start, a warning does not. */
export interface Finding {
  readonly severity: 'error' | 'warning'
  readonly at: Path
  readonly message: string
}

/** A finding as it is told. */
export interface Problem {
  /** `connectors[0].addressSpaces[1]`; also `line 3` of broken YAML, or an environment variable's name. */
  readonly path: string
  readonly message: string
  /** Of the file; null where the problem is not in it. */
  readonly line: number | null
}

export const error = (at: Path, message: string): Finding => ({ severity: 'error', at, message })
export const warning = (at: Path, message: string): Finding => ({ severity: 'warning', at, message })

/** The errors and warnings among findings, each in the order of the file. */
export function problemsOf(
  findings: readonly Finding[],
  lineOf: (path: Path) => number | null,
): { errors: Problem[]; warnings: Problem[] } {
  const told = (severity: Finding['severity']) =>
    findings
      .filter((finding) => finding.severity === severity)
      .map(({ at, message }) => ({ path: formatPath(at), message, line: lineOf(at) }))
      .sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
  return { errors: told('error'), warnings: told('warning') }
}

/** One line, in the form that editors understand: `config/relay.yaml:12: listeners[0].port: must be …`. */
export function formatProblem(problem: Problem, file: string): string {
  const place = problem.line === null ? file : `${file}:${problem.line}`
  return problem.path === ''
    ? `${place}: ${problem.message}`
    : `${place}: ${problem.path}: ${problem.message}`
}
