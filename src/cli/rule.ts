/**
 * `relay rule list | show | add | set | mode | move | remove`: the policy rules of the running relay. A rule is written
 * as in the configuration file, in YAML or JSON.
 */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { Argument, type Command, InvalidArgumentError } from 'commander'
import type { ChangedRuleView, RuleView } from '../admin/rules/rule-view.ts'
import { ruleSchema } from '../config/policy-schema.ts'
import { formatProblem } from '../config/problem.ts'
import { reasonOf } from '../config/secret-reader.ts'
import { readYaml } from '../config/yaml-source.ts'
import { type AdminClient, AdminError } from './admin-client.ts'
import { formatInstantFrom } from './for-people.ts'
import {
  addRule,
  changeRule,
  removeRule,
  replaceRule,
  ruleNamed,
  rulesOf,
  type Settings,
} from './rule-client.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { type Column, formatFields, formatTable } from './table.ts'
import { tellWarnings } from './warnings.ts'

export function registerRule(program: Command): void {
  const rule = program.command('rule').description('the policy rules of the running relay')
  registerReading(rule)
  registerChanges(rule)
}

interface JsonOption {
  readonly json?: boolean
}

function registerReading(rule: Command): void {
  addAdminOption(rule.command('list'))
    .description('list the rules in the order in which they are asked, and how often they matched')
    .option('--json', 'one object per rule, one per line')
    .action((options: JsonOption, command: Command) =>
      withRelay(command, (relay) => list(relay, options, command)),
    )
  addAdminOption(rule.command('show'))
    .description('show one rule')
    .argument('<name>', 'of the rule')
    .option('--json', 'as one object')
    .action((name: string, options: JsonOption, command: Command) =>
      withRelay(command, (relay) => show(relay, { name, ...options }, command)),
    )
}

function registerChanges(rule: Command): void {
  const change = (name: string, description: string): Command =>
    addAdminOption(rule.command(name)).description(description).option('--json', 'the rule as one object')
  change('add', 'add a rule, behind those of the configuration file')
    .argument('<file>', 'one rule as in the configuration file, YAML or JSON; -: standard input')
    .option('--place <number>', 'among the rules made here (default: the last)', parsePlace)
    .action((file: string, options: JsonOption & { place?: number }, command: Command) =>
      withRelay(command, async (relay) => {
        const rule = await readRule(file)
        tell('Added', await addRule(relay, { rule, place: options.place }), { ...options, command })
      }),
    )
  change('set', 'replace a rule; under another name it keeps its place')
    .argument('<name>', 'of the rule')
    .argument('<file>', 'the whole rule, YAML or JSON; -: standard input')
    .action((name: string, file: string, options: JsonOption, command: Command) =>
      withRelay(command, async (relay) => {
        const rule = await readRule(file)
        tell('Changed', await replaceRule(relay, name, rule), { ...options, command })
      }),
    )
  change('mode', 'let a rule act, or only be recorded')
    .argument('<name>', 'of the rule')
    .addArgument(new Argument('<mode>').choices(ruleSchema.shape.mode.unwrap().options))
    .action((name: string, mode: string, options: JsonOption, command: Command) =>
      withRelay(command, async (relay) =>
        tell('Changed', await changeRule(relay, name, { mode }), { ...options, command }),
      ),
    )
  change('move', 'move a rule among those made here')
    .argument('<name>', 'of the rule')
    .argument('<place>', 'from 1; the rules of the configuration file are asked before', parsePlace)
    .action((name: string, place: number, options: JsonOption, command: Command) =>
      withRelay(command, async (relay) =>
        tell('Moved', await changeRule(relay, name, { place }), { ...options, command }),
      ),
    )
  addAdminOption(rule.command('remove'))
    .description('remove a rule')
    .argument('<name>', 'of the rule')
    .option('--json', 'as one object')
    .action((name: string, { json }: JsonOption, command: Command) =>
      withRelay(command, async (relay) => {
        await removeRule(relay, name)
        command.configureOutput().writeOut!(
          json ? `${JSON.stringify({ removed: 1 })}\n` : `Removed: ${name}\n`,
        )
      }),
    )
}

async function list(relay: AdminClient, { json }: JsonOption, command: Command): Promise<void> {
  const { writeOut, getOutHelpWidth } = command.configureOutput()
  const { rules } = await rulesOf(relay)
  if (json) for (const view of rules) writeOut!(`${JSON.stringify(view)}\n`)
  else if (rules.length === 0) writeOut!('There are no rules.\n')
  else writeOut!(formatTable(columns, rules, { width: getOutHelpWidth?.() }))
}

async function show(
  relay: AdminClient,
  { name, json }: JsonOption & { readonly name: string },
  command: Command,
): Promise<void> {
  const { writeOut, getOutHelpWidth } = command.configureOutput()
  const view = await ruleNamed(relay, name)
  if (json) return writeOut!(`${JSON.stringify(view)}\n`)
  const facts: [string, string | number | null][] = [
    ['Rule', view.name],
    ['Origin', view.origin],
    ['Place', view.place],
    ['Matched', view.matched],
    ['Changed', formatInstantFrom(view.changedAt, Date.now())],
  ]
  writeOut!(`${formatFields(facts, { width: getOutHelpWidth?.() })}\n${JSON.stringify(view.rule, null, 2)}\n`)
}

function tell(
  done: string,
  { warnings, ...view }: ChangedRuleView,
  { json, command }: JsonOption & { readonly command: Command },
): void {
  const { writeOut } = command.configureOutput()
  writeOut!(
    json ? `${JSON.stringify(view)}\n` : `${done}: ${view.name} (place ${view.place}, ${view.mode})\n`,
  )
  tellWarnings(warnings, command)
}

const columns: readonly Column<RuleView>[] = [
  { title: 'name', value: ({ name }) => name },
  { title: 'origin', value: ({ origin }) => origin },
  { title: 'place', value: ({ place }) => place },
  { title: 'mode', value: ({ mode, enabled }) => (enabled ? mode : 'disabled') },
  { title: 'matched', value: ({ matched }) => matched },
  { title: 'actions', value: ({ rule }) => Object.keys((rule.actions ?? {}) as object).join(', ') },
]

async function readRule(file: string): Promise<Settings> {
  const source = readYaml(await read(file))
  if ('errors' in source)
    throw new AdminError(source.errors.map((problem) => formatProblem(problem, file)).join('\n'))
  const { value } = source
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AdminError(`${file} must hold one rule: name, conditions, actions …`)
  return value as Settings
}

async function read(file: string): Promise<string> {
  if (file === '-') return text(process.stdin)
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AdminError(`${file} cannot be read: ${reasonOf(cause)}`, { cause })
  })
}

function parsePlace(given: string): number {
  if (/^[1-9]\d{0,5}$/.test(given)) return Number(given)
  throw new InvalidArgumentError('It must be a number from 1.')
}
