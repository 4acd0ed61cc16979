/**
 * `relay explain`: what the rules would make of a message, which connector would take it, and why, step by step. The
 * running relay is asked, because it alone knows what was configured while it runs; where none answers, the
 * configuration file is. Nothing is sent; secrets are not read, so it also works where they are not at hand.
 */
import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Command } from 'commander'
import { parseAddress } from '../address.ts'
import {
  asSubmitted,
  type ExplainedMessage,
  type Explanation,
  explainMessage,
} from '../admin/explain/explanation.ts'
import { type ExplainInput, explanationView } from '../admin/explain/explanation-view.ts'
import { assertNever } from '../assert-never.ts'
import { configFile, readConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { parseSize } from '../config/units.ts'
import { ContentInspector } from '../message/content/inspector.ts'
import { splitDraft } from '../message/draft.ts'
import type { Rehearsal } from '../policy/rehearsal.ts'
import { compileRules } from '../policy/rules/evaluate.ts'
import type { RuleMatch, RuleOutcome } from '../policy/rules/verdict.ts'
import { formatReply } from '../reply.ts'
import { buildRoutes, type Decision, type Why } from '../route/route.ts'
import { describeCandidate, describeStep, type RankedCandidate, type Step } from '../route/steps.ts'
import { AdminError } from './admin-client.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { type Column, formatTable } from './table.ts'

interface Options {
  readonly json?: boolean
  readonly from: string
  readonly to: readonly string[]
  readonly size?: string
  readonly header?: readonly string[]
  readonly ip?: string
  readonly message?: string
}

export function registerExplain(program: Command): void {
  const collect = (value: string, earlier: readonly string[] = []) => [...earlier, value]
  addAdminOption(program.command('explain'))
    .description(
      'say which connector a message would leave by, and why every other one would not; sends nothing',
    )
    .requiredOption('--from <address>', "the envelope sender; '<>' is the null reverse-path")
    .requiredOption('--to <address>', 'a recipient; may be repeated', collect)
    .option('--size <size>', 'of the message, such as 500KB or 35MB')
    .option(
      '--header <field>',
      "a header field, such as 'From: Sales <sales@example.com>'; may be repeated",
      collect,
    )
    .option('--ip <address>', "the client's IP address: may it submit?")
    .option('--message <file>', 'a message: the rules look at it, and its size counts')
    .option('--json', 'print JSON')
    .action(async (options: Options, command: Command) => {
      const question = await readQuestion(options, command)
      const { writeOut, getOutHelpWidth } = command.configureOutput()
      const explanation = await explained(question, command)
      writeOut!(
        options.json
          ? `${JSON.stringify(explanation, null, 2)}\n`
          : render(explanation, { width: getOutHelpWidth?.() }),
      )
      if (!explanation.routed) process.exitCode = 1
    })
}

async function explained(question: Question, command: Command): Promise<Explanation> {
  const { admin, tokenFile } = command.optsWithGlobals<{ admin?: string; tokenFile?: string }>()
  // Who names a relay does not want to hear of a file.
  if (admin !== undefined) return askRelay(question, command)
  const { config, file } = await configOf(command)
  const mayBeFound = config.admin.port !== 0
  const answer = mayBeFound
    ? await askRelay(question, command).catch((error: unknown) => {
        if (isAway(error) && tokenFile === undefined) return null
        throw error
      })
    : null
  if (answer !== null) return answer
  command.configureOutput().writeErr!(
    `No relay answers: this is what ${file} says, without what was configured while a relay ran\n`,
  )
  return explainByFile(config, question)
}

/** Content is inspected, for which others may be waiting. */
const timeoutMs = 30_000

async function askRelay(question: Question, command: Command): Promise<Explanation> {
  const { from, to, sizeBytes, header, ip, bytes } = question
  const body: ExplainInput = {
    from: from ?? '',
    to: [...to],
    size: sizeBytes,
    header: [...header],
    ip,
    ...(bytes !== null &&
      (isUtf8(bytes) ? { message: bytes.toString() } : { messageBase64: bytes.toString('base64') })),
  }
  let answer: Explanation | null = null
  await withRelay(command, async (relay) => {
    answer = await relay.ask('/explain', { method: 'POST', body, answer: explanationView, timeoutMs })
  })
  return answer!
}

/** Nothing listens there, or no relay was ever started here, which would have made a token. */
function isAway(error: unknown): boolean {
  if (!(error instanceof AdminError) || !(error.cause instanceof Error)) return false
  const { code } = error.cause as NodeJS.ErrnoException
  return code === 'ECONNREFUSED' || code === 'ENOENT'
}

async function explainByFile(config: Config, question: Question): Promise<Explanation> {
  const inspector = new ContentInspector()
  try {
    return await explainMessage(messageOf(question), {
      routing: config.routing,
      access: config.access,
      routes: buildRoutes(config),
      rules: config.policy.rules.length === 0 ? null : compileRules(config.policy),
      inspector,
      now: Date.now(),
    })
  } finally {
    await inspector.close()
  }
}

async function configOf(command: Command): Promise<{ config: Config; file: string }> {
  const file = configFile(command.optsWithGlobals<{ config?: string }>().config, process.env)
  const parsed = await readConfig(file)
  if ('config' in parsed) return { config: parsed.config, file }
  throw new Error(parsed.errors.map((error) => formatProblem(error, file)).join('\n'))
}

interface Question extends Omit<ExplainedMessage, 'draft'> {
  /** Where no message is given. */
  readonly header: readonly string[]
  /** The message as the file has it. */
  readonly bytes: Buffer | null
}

function messageOf({ from, to, sizeBytes, header, ip, bytes }: Question): ExplainedMessage {
  const message = bytes && asSubmitted(bytes)
  const draft = splitDraft(message ?? Buffer.from(header.map((field) => `${field}\r\n`).join('')))
  return { from, to, sizeBytes: sizeBytes ?? message?.length ?? null, draft, ip }
}

async function readQuestion(options: Options, command: Command): Promise<Question> {
  const wrong = (message: string): never => command.error(`error: ${message}`, { exitCode: 2 })
  const address = (text: string): string => {
    const parsed = parseAddress(text.replace(/^<(.*)>$/, '$1'))
    return 'error' in parsed ? wrong(`${text} is not a mail address (${parsed.error})`) : parsed.address
  }
  const { size, ip, header = [], message } = options
  const sizeBytes =
    size === undefined ? null : (parseSize(size) ?? wrong(`${size} is not a size such as 35MB`))
  if (ip !== undefined && isIP(ip) === 0) wrong(`${ip} is not an IP address`)
  for (const field of header)
    if (!/^[\x21-\x39\x3b-\x7e]+:[^\r\n]*$/.test(field))
      wrong(`${field} is not a header field such as 'From: a@b'`)
  if (message !== undefined && header.length > 0) wrong('--message has its own header: leave out --header')
  return {
    from: options.from === '' || options.from === '<>' ? null : address(options.from),
    to: options.to.map(address),
    sizeBytes,
    header,
    ip: ip ?? null,
    bytes: message === undefined ? null : await readFile(message),
  }
}

function render(
  { access, sender, policy, recipients }: Explanation,
  options: { width: number | undefined },
): string {
  const lines = access === null ? [] : [`Client ${access.ip}: ${accessText(access)}`]
  if (sender.defect !== null) lines.push(`From field: ${defects[sender.defect] ?? sender.defect}`)
  const parts = recipients.map(({ recipient, policy, steps, decision }) =>
    [
      `${recipient}\n`,
      ...(policy === null ? [] : [`  ${policy}\n`]),
      ...(steps ?? []).map(
        (step, index) => `  ${index + 1}. ${describeStep(step)}\n${candidates(step, options)}`,
      ),
      ...(decision === null ? [] : [`  => ${decisionText(decision)}\n`]),
    ].join(''),
  )
  const head = lines.map((line) => `${line}\n`).join('')
  return [head, rulesTable(policy, options), ...parts].filter((part) => part !== '').join('\n')
}

const ruleColumns: readonly Column<RuleOutcome>[] = [
  { title: 'rule', value: ({ rule }) => rule },
  { title: 'outcome', value: ({ outcome }) => describeOutcome(outcome) },
]

function rulesTable(policy: Rehearsal | null, options: { width: number | undefined }): string {
  return policy === null ? '' : formatTable(ruleColumns, policy.outcomes, options)
}

function describeOutcome(outcome: RuleOutcome['outcome']): string {
  switch (outcome.kind) {
    case 'matched':
      return matchText(outcome.match)
    case 'notMatched':
      return `does not match: ${outcome.condition}`
    case 'excepted':
      return `excepted: ${outcome.condition} ${outcome.value}`
    case 'disabled':
      return 'is disabled'
    case 'notYetActive':
      return 'is not active yet'
    case 'noLongerActive':
      return 'is no longer active'
    case 'stoppedBefore':
      return 'not asked: an earlier rule ended it'
    case 'notInspected':
      return 'defers: the content could not be inspected'
    case 'passedOver':
      return 'passed over: the content could not be inspected'
    default:
      return assertNever(outcome)
  }
}

function matchText({ because, actions, mode, recipients }: RuleMatch): string {
  const why = because.map(({ condition, value }) => `${condition} ${value}`).join(', ')
  const does = mode === 'enforce' ? actions.join(', ') : `${actions.join(', ')} (${mode}: not done)`
  return `matches${why === '' ? '' : ` (${why})`} for ${recipients.join(', ')}: ${does}`
}

const candidateColumns: readonly Column<RankedCandidate>[] = [
  { title: 'connector', value: ({ connector }) => connector },
  { title: 'name', value: ({ name }) => name },
  { title: 'address space', value: ({ space }) => space ?? '-' },
  { title: 'outcome', value: describeCandidate },
]

function candidates(step: Step, { width }: { width: number | undefined }): string {
  if (step.step !== 'addressSpaces' || step.candidates.length === 0) return ''
  const indent = '     '
  const table = formatTable(candidateColumns, step.candidates, {
    width: width === undefined ? undefined : width - indent.length,
  })
  return table.replace(/^/gm, indent).trimEnd().concat('\n')
}

function decisionText(decision: Decision): string {
  switch (decision.kind) {
    case 'connector':
      return `leaves by connector ${decision.connector} (${rules[decision.why.rule]} ${decision.why.entry})`
    case 'refuse':
      return `refused: ${formatReply(decision.reply)}`
    case 'unreachable':
      return 'accepted, and kept as unreachable until the configuration changes'
    default:
      return assertNever(decision)
  }
}

const rules: Record<Why['rule'], string> = {
  senderAddress: 'binding of',
  senderDomain: 'binding of the domain',
  addressSpace: 'address space',
  default: 'default connector',
  policy: 'chosen by a rule:',
}

const defects: Record<string, string> = {
  none: 'there is none, so nobody is bound by it',
  several: 'there is more than one mailbox, so nobody is bound by it',
  unparsable: 'it cannot be read without a guess, so nobody is bound by it',
}

function accessText({ senders, refusal }: NonNullable<Explanation['access']>): string {
  if (refusal !== null) return `refused: ${formatReply(refusal)}`
  const as = senders === null || senders === 'all' ? '' : `, as ${senders.join(', ')}`
  return `may submit without AUTH${as} (access.networks)`
}
