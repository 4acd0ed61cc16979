/**
 * `relay explain`: what the rules would make of a message, which connector would take it, and why, step by step. It
 * asks the same decisions as the relay does and sends nothing, nor does it ask outside checkers or count against
 * limits; secrets are not read, so it also works where they are not at hand.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Command } from 'commander'
import { parseAddress } from '../address.ts'
import { assertNever } from '../assert-never.ts'
import { configFile, readConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { parseSize } from '../config/units.ts'
import { ContentInspector } from '../message/content/inspector.ts'
import { type Draft, splitDraft } from '../message/draft.ts'
import { fromAddresses, parseHeader } from '../message/header.ts'
import { HeaderView } from '../message/header-view.ts'
import { type RecipientFate, type Rehearsal, rehearse } from '../policy/rehearsal.ts'
import { compileRules } from '../policy/rules/evaluate.ts'
import type { RuleMatch, RuleOutcome, Variant } from '../policy/rules/verdict.ts'
import { fromRefusal } from '../policy/sender-rights.ts'
import { formatReply, type Reply } from '../reply.ts'
import { buildRoutes, type Decision, explain, senderIdentity, type Why } from '../route/route.ts'
import { describeCandidate, describeStep, type RankedCandidate, type Step } from '../route/steps.ts'
import { AllowedNetworks, admit } from '../smtp/access.ts'
import type { SenderRights } from '../smtp/transaction.ts'
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
  program
    .command('explain')
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
      const message = await readMessage(options, command)
      const { writeOut, getOutHelpWidth } = command.configureOutput()
      const explanation = await explainMessage(await configOf(command), message)
      writeOut!(
        options.json
          ? `${JSON.stringify(explanation, null, 2)}\n`
          : render(explanation, { width: getOutHelpWidth?.() }),
      )
      if (!explanation.routed) process.exitCode = 1
    })
}

async function configOf(command: Command): Promise<Config> {
  const file = configFile(command.optsWithGlobals<{ config?: string }>().config, process.env)
  const parsed = await readConfig(file)
  if ('config' in parsed) return parsed.config
  throw new Error(parsed.errors.map((error) => formatProblem(error, file)).join('\n'))
}

interface Message {
  /** Null is the null reverse-path. */
  readonly from: string | null
  readonly to: readonly string[]
  readonly sizeBytes: number | null
  /** Header fields alone where no message was given. */
  readonly draft: Draft
  readonly ip: string | null
}

async function readMessage(options: Options, command: Command): Promise<Message> {
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
  const bytes = message === undefined ? null : asSubmitted(await readFile(message))
  return {
    from: options.from === '' || options.from === '<>' ? null : address(options.from),
    to: options.to.map(address),
    sizeBytes: sizeBytes ?? bytes?.length ?? null,
    draft: splitDraft(bytes ?? Buffer.from(header.map((field) => `${field}\r\n`).join(''))),
    ip: ip ?? null,
  }
}

/** Mail programs save messages with the line ends of their system; a client sends CRLF. */
function asSubmitted(bytes: Buffer): Buffer {
  return bytes.includes('\r\n')
    ? bytes
    : Buffer.from(bytes.toString('latin1').replace(/\n/g, '\r\n'), 'latin1')
}

interface Explanation {
  /** Every recipient leaves by a connector, and the client may submit. */
  readonly routed: boolean
  /** Null where no address was asked about. */
  readonly access: {
    readonly ip: string
    /** As whom it may send; null: it may not. */
    readonly senders: SenderRights | null
    readonly refusal: Reply | null
  } | null
  readonly sender: {
    readonly identity: string | null
    readonly from: Config['routing']['senderIdentity']
    /** What is wrong with the From field, where it counts and is no one mailbox. */
    readonly defect: string | null
  }
  /** Null where there are no rules. */
  readonly policy: Rehearsal | null
  readonly recipients: readonly ExplainedRecipient[]
}

interface ExplainedRecipient {
  readonly recipient: string
  /** What the rules do to it, in words; null: nothing. */
  readonly policy: string | null
  /** Null where it does not go on, or a rule chose the connector. */
  readonly steps: readonly Step[] | null
  readonly decision: Decision | null
}

async function explainMessage(config: Config, message: Message): Promise<Explanation> {
  const routes = buildRoutes(config)
  const sender = senderOf(config, message)
  const access = message.ip === null ? null : accessOf(config, { ...message, ip: message.ip })
  const policy = config.policy.rules.length === 0 ? null : await rehearsalOf(config, message)
  const routed = (address: string, variant: Variant | null) => {
    // A report keeps the null reverse-path, whatever a rule says.
    const identity = (message.from === null ? null : variant?.sender) ?? sender.identity
    return explain(routes, { sender: identity, recipient: address, sizeBytes: message.sizeBytes })
  }
  const recipients =
    policy === null
      ? message.to.map((recipient) => ({ recipient, policy: null, ...routed(recipient, null) }))
      : withAdded(
          policy.fates.flatMap((fate) => afterRules(fate, routed)),
          addedBy(policy, routed),
        )
  const leaves = recipients.every(
    ({ policy, decision }) => decision?.kind === 'connector' || (decision === null && policy === dropped),
  )
  return { routed: leaves && !access?.refusal, access, sender, policy, recipients }
}

async function rehearsalOf(config: Config, message: Message): Promise<Rehearsal> {
  const inspector = new ContentInspector()
  try {
    const rehearsed = {
      sender: message.from ?? '',
      recipients: message.to,
      client: { address: message.ip, listener: null, user: null },
      now: Date.now(),
      sizeBytes: message.sizeBytes ?? 0,
      draft: message.draft,
    }
    return await rehearse(compileRules(config.policy), rehearsed, inspector)
  } finally {
    await inspector.close()
  }
}

type Routed = (address: string, variant: Variant) => { steps: readonly Step[]; decision: Decision }

const dropped = 'dropped: nobody is told'

function afterRules(
  { recipient, fate, reply, variant }: RecipientFate,
  routed: Routed,
): ExplainedRecipient[] {
  if (reply !== null) return [{ recipient, policy: null, steps: null, decision: { kind: 'refuse', reply } }]
  if (variant === null) return [{ recipient, policy: dropped, steps: null, decision: null }]
  const held = fate === 'hold' ? `held: ${variant.hold}` : null
  return (variant.redirectTo ?? [recipient]).map((address) => ({
    recipient: address,
    policy: address === recipient ? held : [`in place of ${recipient}`, ...(held ? [held] : [])].join('; '),
    ...wayOf(address, { variant, routed }),
  }))
}

/** Whom the message goes to anyway gets nothing more. */
function withAdded(own: ExplainedRecipient[], added: ExplainedRecipient[]): ExplainedRecipient[] {
  const reached = new Set(
    own.filter(({ decision }) => decision?.kind === 'connector').map((each) => each.recipient),
  )
  return [...own, ...added.filter(({ recipient }) => !reached.has(recipient))]
}

/** Those whom rules add, once each. */
function addedBy({ verdict }: Rehearsal, routed: Routed): ExplainedRecipient[] {
  if (verdict.kind === 'refuse') return []
  const added = new Map(
    verdict.variants.flatMap((variant) => variant.added.map((address) => [address, variant])),
  )
  return [...added].map(([address, variant]) => ({
    recipient: address,
    policy: 'added by a rule',
    ...wayOf(address, { variant, routed }),
  }))
}

function wayOf(
  address: string,
  { variant, routed }: { variant: Variant; routed: Routed },
): Pick<ExplainedRecipient, 'steps' | 'decision'> {
  if (variant.connector === null) return routed(address, variant)
  const why: Why = { rule: 'policy', entry: variant.connector }
  return { steps: null, decision: { kind: 'connector', connector: variant.connector, why } }
}

function senderOf(config: Config, message: Message): Explanation['sender'] {
  const from = config.routing.senderIdentity
  const author = fromAddresses(parseHeader(message.draft.header))
  const headerFrom = 'address' in author ? author.address : null
  const identity = senderIdentity(from, { envelopeFrom: message.from, headerFrom })
  return { identity, from, defect: from === 'envelope' || 'address' in author ? null : author.defect }
}

/** As the relay would before AUTH, which cannot be asked here; the From field only where one is given. */
function accessOf(config: Config, message: Message & { readonly ip: string }): Explanation['access'] {
  const { ip } = message
  const { networks, users, fromField } = config.access
  const networkSenders = new AllowedNetworks(networks).sendersOf(ip)
  const client = { address: ip, networkSenders, user: null, authOffered: users.length > 0 }
  const admission = admit(client, message.from ?? '')
  if ('refusal' in admission) return { ip, senders: networkSenders, refusal: admission.refusal }
  const header = new HeaderView(message.draft.header)
  const asked = fromField === 'check' && header.values('from').length > 0
  return { ip, ...admission, refusal: asked ? fromRefusal(admission.senders, header) : null }
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
