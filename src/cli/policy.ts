/**
 * `relay policy test FILE`: runs cases, each a message and what the rules should say of it, against the rules of the
 * configuration, and prints a table. Nothing is sent, and no outside checker is asked.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { configFile, readConfig } from '../config/load.ts'
import { type PolicyCase, parsePolicyCases } from '../config/policy-cases.ts'
import { formatProblem } from '../config/problem.ts'
import { ContentInspector } from '../message/content/inspector.ts'
import { splitDraft } from '../message/draft.ts'
import { headerFor, type Rehearsal, rehearse } from '../policy/rehearsal.ts'
import { type CompiledRules, compileRules } from '../policy/rules/evaluate.ts'
import { formatReply } from '../reply.ts'
import { type Column, formatTable } from './table.ts'

interface CaseResult {
  readonly name: string
  readonly ok: boolean
  readonly got: string
  /** The rules that matched, in order. */
  readonly rules: readonly string[]
  /** What is otherwise than expected; empty where all is as it should be. */
  readonly differences: readonly string[]
}

export function registerPolicy(program: Command): void {
  const policy = program.command('policy').description('the rules of the configuration')
  policy
    .command('test')
    .description('run a YAML file of cases against the rules, and print a table; sends nothing')
    .argument('<file>', 'cases: [{ name, from, to, headers, body, file, expect: { verdict, rules, … } }]')
    .option('--json', 'print JSON')
    .action(async (file: string, options: { json?: boolean }, command: Command) => {
      const { writeOut, getOutHelpWidth } = command.configureOutput()
      const results = await runCases(await readCases(file), {
        rules: await rulesOf(command),
        directory: dirname(file),
      })
      writeOut!(
        options.json
          ? `${JSON.stringify(results, null, 2)}\n`
          : render(results, { width: getOutHelpWidth?.() }),
      )
      if (results.some(({ ok }) => !ok)) process.exitCode = 1
    })
}

async function rulesOf(command: Command): Promise<CompiledRules> {
  const file = configFile(command.optsWithGlobals<{ config?: string }>().config, process.env)
  const parsed = await readConfig(file)
  if ('config' in parsed) return compileRules(parsed.config.policy)
  throw new Error(parsed.errors.map((error) => formatProblem(error, file)).join('\n'))
}

async function readCases(file: string): Promise<readonly PolicyCase[]> {
  const parsed = parsePolicyCases(await readFile(file, 'utf8'))
  if ('cases' in parsed) return parsed.cases
  throw new Error(parsed.errors.map((error) => `${file}: ${error}`).join('\n'))
}

async function runCases(
  cases: readonly PolicyCase[],
  options: { rules: CompiledRules; directory: string },
): Promise<CaseResult[]> {
  const inspector = new ContentInspector()
  try {
    const results: CaseResult[] = []
    for (const each of cases) results.push(await runCase(each, { ...options, inspector }))
    return results
  } finally {
    await inspector.close()
  }
}

async function runCase(
  given: PolicyCase,
  { rules, directory, inspector }: { rules: CompiledRules; directory: string; inspector: ContentInspector },
): Promise<CaseResult> {
  const bytes = await messageOf(given, directory)
  const draft = splitDraft(bytes)
  const message = {
    sender: given.from,
    recipients: given.to,
    client: given.client,
    now: given.at ?? Date.now(),
    sizeBytes: bytes.length,
    draft,
  }
  const rehearsal = await rehearse(rules, message, inspector)
  const header = await headerFor(draft, rehearsal.fates[0]!.variant)
  const differences = [
    ...differencesOf(given.expect, rehearsal),
    ...missingFields(given.expect.headers, header),
  ]
  const matched = matchedRules(rehearsal)
  return {
    name: given.name,
    ok: differences.length === 0,
    got: summary(rehearsal),
    rules: matched,
    differences,
  }
}

async function messageOf({ file, headers, body }: PolicyCase, directory: string): Promise<Buffer> {
  if (file !== null) return readFile(resolve(directory, file))
  const lines = body.replace(/\r?\n/g, '\r\n')
  return Buffer.from(`${headers.map((field) => `${field}\r\n`).join('')}\r\n${lines}`)
}

type Expected = PolicyCase['expect']

function differencesOf(expected: Expected, { verdict, fates }: Rehearsal): string[] {
  const differences: string[] = []
  const differs = (what: string, want: string, got: string) =>
    differences.push(`${what}: ${want} expected, ${got} is`)
  for (const { recipient, fate } of fates) {
    const want = expected.recipients?.[recipient] ?? expected.verdict
    if (want !== undefined && want !== fate) differs(recipient, want, fate)
  }
  for (const recipient of Object.keys(expected.recipients ?? {}))
    if (!fates.some((fate) => fate.recipient === recipient)) differences.push(`${recipient}: is no recipient`)
  if (expected.rules !== undefined) {
    const got = verdict.matches.map(({ rule }) => rule)
    if (got.join('\n') !== expected.rules.join('\n'))
      differs('rules', expected.rules.join(', ') || 'none', got.join(', ') || 'none')
  }
  if (expected.reply !== undefined) {
    const got = fates.flatMap(({ reply }) => (reply === null ? [] : [formatReply(reply)]))
    if (!got.some((reply) => reply.startsWith(expected.reply!)))
      differs('reply', expected.reply, got[0] ?? 'none')
  }
  const variant = fates.find((fate) => fate.variant !== null)?.variant ?? null
  if (expected.connector !== undefined && variant?.connector !== expected.connector)
    differs('connector', expected.connector, variant?.connector ?? 'none chosen')
  if (expected.hold !== undefined && variant?.hold !== expected.hold)
    differs('hold', expected.hold, variant?.hold ?? 'not held')
  return differences
}

function missingFields(
  expected: Expected['headers'],
  header: Awaited<ReturnType<typeof headerFor>>,
): string[] {
  return (expected ?? []).flatMap((field) => {
    const colon = field.indexOf(':')
    const [name, value] = [field.slice(0, colon), field.slice(colon + 1).trim()]
    const got = header?.values(name) ?? []
    return got.includes(value) ? [] : [`${name}: ${value} expected, ${got.join(' | ') || 'no such field'} is`]
  })
}

const matchedRules = ({ verdict }: Rehearsal): string[] => verdict.matches.map(({ rule }) => rule)

/** One word where all recipients fare alike. */
function summary({ fates }: Rehearsal): string {
  const kinds = new Set(fates.map(({ fate }) => fate))
  return kinds.size === 1
    ? fates[0]!.fate
    : fates.map(({ recipient, fate }) => `${recipient} ${fate}`).join(', ')
}

const columns: readonly Column<CaseResult>[] = [
  { title: 'result', value: ({ ok }) => (ok ? 'ok' : 'FAILED') },
  { title: 'case', value: ({ name }) => name },
  { title: 'verdict', value: ({ got }) => got },
  { title: 'rules', value: ({ rules }) => rules.join(', ') || '-' },
]

function render(results: readonly CaseResult[], options: { width: number | undefined }): string {
  const failed = results.filter(({ ok }) => !ok)
  const details = failed.flatMap(({ name, differences }) => [
    `${name}`,
    ...differences.map((each) => `  ${each}`),
  ])
  const sum = `${results.length - failed.length} of ${results.length} cases are as expected`
  return [formatTable(columns, results, options), ...details.map((line) => `${line}\n`), `${sum}\n`].join('')
}
