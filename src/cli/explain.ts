/**
 * `relay explain`: which connector would take a message, and why, step by step. It asks the same decisions as the
 * relay does and sends nothing; secrets are not read, so it also works where they are not at hand.
 */
import { isIP } from 'node:net'
import type { Command } from 'commander'
import { parseAddress } from '../address.ts'
import { assertNever } from '../assert-never.ts'
import { configFile, readConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { parseSize } from '../config/units.ts'
import { fromAddresses, parseHeader } from '../message/header.ts'
import { formatReply, type Reply } from '../reply.ts'
import { buildRoutes, type Decision, explain, senderIdentity, type Why } from '../route/route.ts'
import { describeCandidate, describeStep, type RankedCandidate, type Step } from '../route/steps.ts'
import { AllowedNetworks, submissionRefusal } from '../smtp/access.ts'
import { type Column, formatTable } from './table.ts'

interface Options {
  readonly json?: boolean
  readonly from: string
  readonly to: readonly string[]
  readonly size?: string
  readonly header?: readonly string[]
  readonly ip?: string
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
    .option('--json', 'print JSON')
    .action(async (options: Options, command: Command) => {
      const message = readMessage(options, command)
      const { writeOut, getOutHelpWidth } = command.configureOutput()
      const explanation = explainMessage(await configOf(command), message)
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
  readonly header: string
  readonly ip: string | null
}

function readMessage(options: Options, command: Command): Message {
  const wrong = (message: string): never => command.error(`error: ${message}`, { exitCode: 2 })
  const address = (text: string): string => {
    const parsed = parseAddress(text.replace(/^<(.*)>$/, '$1'))
    return 'error' in parsed ? wrong(`${text} is not a mail address (${parsed.error})`) : parsed.address
  }
  const { size, ip, header = [] } = options
  const sizeBytes =
    size === undefined ? null : (parseSize(size) ?? wrong(`${size} is not a size such as 35MB`))
  if (ip !== undefined && isIP(ip) === 0) wrong(`${ip} is not an IP address`)
  for (const field of header)
    if (!/^[\x21-\x39\x3b-\x7e]+:[^\r\n]*$/.test(field))
      wrong(`${field} is not a header field such as 'From: a@b'`)
  return {
    from: options.from === '' || options.from === '<>' ? null : address(options.from),
    to: options.to.map(address),
    sizeBytes,
    header: header.map((field) => `${field}\r\n`).join(''),
    ip: ip ?? null,
  }
}

interface Explanation {
  /** Every recipient leaves by a connector, and the client may submit. */
  readonly routed: boolean
  /** Null where no address was asked about. */
  readonly access: { readonly ip: string; readonly refusal: Reply | null } | null
  readonly sender: {
    readonly identity: string | null
    readonly from: Config['routing']['senderIdentity']
    /** What is wrong with the From field, where it counts and is no one mailbox. */
    readonly defect: string | null
  }
  readonly recipients: readonly {
    readonly recipient: string
    readonly steps: readonly Step[]
    readonly decision: Decision
  }[]
}

function explainMessage(config: Config, message: Message): Explanation {
  const routes = buildRoutes(config)
  const sender = senderOf(config, message)
  const access = message.ip === null ? null : accessOf(config, message.ip)
  const recipients = message.to.map((recipient) => ({
    recipient,
    ...explain(routes, { sender: sender.identity, recipient, sizeBytes: message.sizeBytes }),
  }))
  const routed = recipients.every(({ decision }) => decision.kind === 'connector')
  return { routed: routed && !access?.refusal, access, sender, recipients }
}

function senderOf(config: Config, message: Message): Explanation['sender'] {
  const from = config.routing.senderIdentity
  const author = fromAddresses(parseHeader(Buffer.from(message.header)))
  const headerFrom = 'address' in author ? author.address : null
  const identity = senderIdentity(from, { envelopeFrom: message.from, headerFrom })
  return { identity, from, defect: from === 'envelope' || 'address' in author ? null : author.defect }
}

/** As the relay would before AUTH, which cannot be asked here. */
function accessOf(config: Config, ip: string): Explanation['access'] {
  const trusted = new AllowedNetworks(config.access.networks).has(ip)
  const authOffered = config.access.users.length > 0
  return { ip, refusal: submissionRefusal({ address: ip, trusted, user: null, authOffered }) }
}

function render({ access, sender, recipients }: Explanation, options: { width: number | undefined }): string {
  const lines = access === null ? [] : [`Client ${access.ip}: ${accessText(access.refusal)}`]
  if (sender.defect !== null) lines.push(`From field: ${defects[sender.defect] ?? sender.defect}`)
  const parts = recipients.map(({ recipient, steps, decision }) =>
    [
      `${recipient}\n`,
      ...steps.map((step, index) => `  ${index + 1}. ${describeStep(step)}\n${candidates(step, options)}`),
      `  => ${decisionText(decision)}\n`,
    ].join(''),
  )
  return [lines.map((line) => `${line}\n`).join(''), ...parts].filter((part) => part !== '').join('\n')
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
}

const defects: Record<string, string> = {
  none: 'there is none, so nobody is bound by it',
  several: 'there is more than one mailbox, so nobody is bound by it',
  unparsable: 'it cannot be read without a guess, so nobody is bound by it',
}

function accessText(refusal: Reply | null): string {
  return refusal === null ? 'may submit without AUTH (access.networks)' : `refused: ${formatReply(refusal)}`
}
