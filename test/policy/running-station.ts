/**
 * The policy station on a real embedded queue, which counts its limits, with rules as a configuration has them and
 * outside checkers that do what the test says. What it decides is told in a few words.
 */
import { pino } from 'pino'
import { afterEach } from 'vitest'
import { type CheckerConfig, policySchema } from '../../src/config/policy-schema.ts'
import { inspect } from '../../src/message/content/mime.ts'
import type { DkimKey } from '../../src/message/dkim.ts'
import type { Draft } from '../../src/message/draft.ts'
import { newMessageId } from '../../src/message-id.ts'
import {
  type CheckedMessage,
  type Checker,
  type CheckerVerdict,
  type PassVerdict,
  type RecipientQuestion,
  unchanged,
} from '../../src/policy/checkers/checker.ts'
import { guarded } from '../../src/policy/checkers/guard.ts'
import type { Group } from '../../src/policy/groups.ts'
import { SubmissionLimits } from '../../src/policy/limits.ts'
import { type CompiledRules, compileRules } from '../../src/policy/rules/evaluate.ts'
import { DkimSigner } from '../../src/policy/signing.ts'
import { PolicyStation, type Ruling, type Submission } from '../../src/policy/station.ts'
import { formatReply, type Reply } from '../../src/reply.ts'
import type { Transaction } from '../../src/smtp/transaction.ts'
import { type CheckedFields, checkedMessage, textOf } from '../support/checked-message.ts'
import { FaultyQueue } from '../support/faulty-queue.ts'
import { RecordedEvents } from '../support/recorded-events.ts'
import { TestClock } from '../support/test-clock.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** What a checker does with a message; nothing said is a pass without a change. */
export type Check = (
  message: CheckedMessage,
  signal: AbortSignal,
) => Partial<PassVerdict> | CheckerVerdict | Promise<never>

export interface CheckerScript {
  readonly name: string
  readonly check?: Check
  readonly recipient?: (question: RecipientQuestion) => Reply | null
  readonly away?: CheckerConfig['away']
}

class ScriptedChecker implements Checker {
  readonly name: string
  readonly recipient?: (question: RecipientQuestion) => Promise<Reply | null>
  closed = false
  readonly #check: Check

  constructor({ name, check = () => ({}), recipient }: CheckerScript) {
    this.name = name
    this.#check = check
    if (recipient !== undefined) this.recipient = async (question) => recipient(question)
  }

  async check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    const said = await this.#check(message, signal)
    if (said.kind === 'refuse' || said.kind === 'drop') return said
    return { ...unchanged(message), ...said }
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

export interface StationSetUp {
  /** Of the configuration. */
  readonly policy?: Record<string, unknown>
  readonly checkers?: readonly CheckerScript[]
  readonly keys?: readonly DkimKey[]
}

export class RunningStation {
  readonly events = new RecordedEvents()
  readonly clock = new TestClock()
  readonly logged: string[] = []
  readonly queue: FaultyQueue
  readonly station: PolicyStation
  readonly checkers: readonly ScriptedChecker[]
  /** Messages whose content was read. */
  inspected = 0
  #rules: CompiledRules

  static async start(setUp: StationSetUp = {}): Promise<RunningStation> {
    const queue = await FaultyQueue.open()
    closing.push(() => queue.destroy())
    return new RunningStation(queue, setUp)
  }

  private constructor(queue: FaultyQueue, { policy = {}, checkers = [], keys = [] }: StationSetUp) {
    const { clock } = this
    const { limits, rules, lists } = policySchema.parse(named(policy))
    const log = pino({ level: 'info' }, { write: (line) => void this.logged.push(line) })
    this.queue = queue
    this.#rules = compileRules({ rules, lists })
    this.checkers = checkers.map((script) => new ScriptedChecker(script))
    this.station = new PolicyStation({
      rules: () => this.#rules,
      limits: new SubmissionLimits({ limits, queue, clock }),
      checkers: this.checkers.map((checker, index) =>
        guarded(checker, {
          ...{ timeoutMs: 5000, concurrency: 5, log, clock },
          away: checkers[index]!.away ?? 'defer',
        }),
      ),
      signer: new DkimSigner(keys),
      inspector: {
        inspect: async (draft) => {
          this.inspected++
          return inspect(draft)
        },
        close: async () => undefined,
      },
      clock,
      log,
      record: this.events.record,
    })
  }

  /** Other rules come into force. */
  changeRules(rules: readonly Record<string, unknown>[]): void {
    this.#rules = compileRules(policySchema.parse(named({ rules })))
  }

  submission(fields: CheckedFields = {}): Submission {
    const { transaction, draft, sizeBytes, keep } = checkedMessage(fields)
    const receivedAt = this.clock.now()
    const { record } = this.events
    return { messageId: newMessageId(receivedAt), receivedAt, transaction, draft, sizeBytes, record, keep }
  }

  judge(fields: CheckedFields | Submission = {}): Promise<Ruling> {
    return this.station.judge('draft' in fields ? fields : this.submission(fields))
  }

  /** The ruling in words. */
  async told(fields: CheckedFields | Submission = {}): Promise<Told> {
    return tell(await this.judge(fields))
  }

  async atRcpt(transaction: Transaction, address: string): Promise<string | null> {
    const recipient = { address, notify: null, orcpt: null }
    const reply = await this.station.recipient(transaction, recipient)
    return reply && formatReply(reply)
  }
}

function named(policy: Record<string, unknown>): Record<string, unknown> {
  const rules = (policy.rules ?? []) as Record<string, unknown>[]
  return { ...policy, rules: rules.map((rule, index) => ({ name: `rule ${index}`, ...rule })) }
}

export interface Told {
  /** Null: 250. */
  readonly refusal: string | null
  /** `to` and what else is said of a group, in words. */
  readonly forms: readonly { readonly text: string; readonly groups: readonly string[] }[]
  /** `recipient by whom: reply` */
  readonly refused: readonly string[]
  /** `recipient by whom` */
  readonly dropped: readonly string[]
  readonly notices: readonly string[]
}

export async function tell(ruling: Ruling): Promise<Told> {
  const notices = ruling.notices.map(({ rule, to }) => `${rule} to ${to.join(' ')}`)
  if (ruling.kind === 'refuse')
    return { refusal: formatReply(ruling.reply), forms: [], refused: [], dropped: [], notices }
  const { forms, refused, dropped } = ruling
  return {
    refusal: null,
    forms: await Promise.all(
      forms.map(async ({ draft, groups }) => ({ text: await textOf(draft), groups: groups.map(tellGroup) })),
    ),
    refused: refused.flatMap(({ recipients, reply, by }) =>
      recipients.map(({ address }) => `${address} by ${by}: ${formatReply(reply)}`),
    ),
    dropped: dropped.flatMap(({ recipients, by }) => recipients.map(({ address }) => `${address} by ${by}`)),
    notices,
  }
}

/** `sender > a, b`; a recipient that hears of no failure is `(b)`. */
function tellGroup({ sender, recipients, hold, connector, requireTls }: Group): string {
  const to = recipients.map(({ address, notify }) => (notify === 'never' ? `(${address})` : address))
  return [
    `${sender.from || '<>'} > ${to.join(', ')}`,
    ...(hold === null ? [] : [`held: ${hold}`]),
    ...(connector === null ? [] : [`through ${connector}`]),
    ...(requireTls ? ['with TLS'] : []),
  ].join('; ')
}

/** With a field at the top of its header. */
export function withField({ header, body }: Draft, field: string): Draft {
  return { header: Buffer.concat([Buffer.from(`${field}\r\n`), header]), body }
}
