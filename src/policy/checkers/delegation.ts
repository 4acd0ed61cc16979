/**
 * Postfix policy delegation: a policy server is asked about each recipient when it comes, and about the message at its
 * end. What its answers for recipients do to the message (hold, redirect, a header …) is done at the end.
 */
import { randomUUID } from 'node:crypto'
import type { CheckerConfig } from '../../config/policy-schema.ts'
import type { Draft } from '../../message/draft.ts'
import { fieldAsGiven, insertField } from '../../message/edit/header-edit.ts'
import type { Reply } from '../../reply.ts'
import type { Transaction } from '../../smtp/transaction.ts'
import {
  type CheckedMessage,
  type Checker,
  type CheckerVerdict,
  type RecipientQuestion,
  unchanged,
} from './checker.ts'
import { type DelegationAnswer, type Effect, formatRequest, parseAnswer } from './delegation-protocol.ts'
import { KeptConnections } from './kept-connections.ts'
import { parseSocketAddress } from './socket-address.ts'
import { readAnswer } from './socket-answer.ts'

type DelegationConfig = Extract<CheckerConfig, { kind: 'delegation' }>

/** What is remembered of a transaction from one recipient to the next, and to the end of its message. */
interface Remembered {
  readonly instance: string
  readonly effects: Effect[]
}

export class Delegation implements Checker {
  readonly name: string
  readonly #connections: KeptConnections
  readonly #transactions = new WeakMap<Transaction, Remembered>()

  constructor({ name, address }: Pick<DelegationConfig, 'name' | 'address'>) {
    this.name = name
    this.#connections = new KeptConnections(parseSocketAddress(address))
  }

  async recipient({ transaction, recipient }: RecipientQuestion, signal: AbortSignal): Promise<Reply | null> {
    const { instance, effects } = this.#remembered(transaction)
    const request = formatRequest(transaction, { state: { name: 'RCPT', recipient }, instance })
    const answer = await this.#ask(request, signal)
    if (answer.kind === 'refuse') return answer.reply
    effects.push(...answer.effects)
    return null
  }

  async check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    const { instance, effects } = this.#remembered(message.submitted)
    const { transaction, messageId, sizeBytes } = message
    const state = { name: 'END-OF-MESSAGE', messageId, sizeBytes } as const
    const answer = await this.#ask(formatRequest(transaction, { state, instance }), signal)
    if (answer.kind === 'refuse') return { kind: 'refuse', reply: answer.reply, note: noteOf(effects) }
    return withEffects(message, [...effects, ...answer.effects])
  }

  async close(): Promise<void> {
    this.#connections.close()
  }

  #remembered(transaction: Transaction): Remembered {
    const known = this.#transactions.get(transaction)
    if (known !== undefined) return known
    const remembered: Remembered = { instance: randomUUID(), effects: [] }
    this.#transactions.set(transaction, remembered)
    return remembered
  }

  async #ask(request: string, signal: AbortSignal): Promise<DelegationAnswer> {
    const answer = await this.#connections.ask((socket) => {
      const answered = readAnswer(socket, { terminator: '\n\n', limitBytes: 8192, signal })
      socket.write(request)
      return answered
    }, signal)
    return parseAnswer(answer)
  }
}

function withEffects(message: CheckedMessage, effects: readonly Effect[]): CheckerVerdict {
  const note = noteOf(effects)
  if (effects.some(({ kind }) => kind === 'drop')) return { kind: 'drop', note }
  const holds = effects.flatMap((effect) => (effect.kind === 'hold' ? effect.reason : []))
  const copies = effects.flatMap((effect) => (effect.kind === 'bcc' ? effect.address : []))
  // As in Postfix, the last one counts.
  const target = effects.flatMap((effect) => (effect.kind === 'redirect' ? effect.address : [])).at(-1)
  const recipients = message.transaction.recipients.map(({ address }) => address)
  return {
    ...unchanged(message, note),
    draft: withFields(message.draft, effects),
    added: [...new Set([...(target === undefined ? [] : [target]), ...copies])],
    removed: target === undefined ? [] : recipients.filter((address) => address !== target),
    hold: holds.length === 0 ? null : [...new Set(holds)].join('; '),
  }
}

/** At the top, in the order in which they were asked for. */
function withFields(draft: Draft, effects: readonly Effect[]): Draft {
  const prepends = effects.flatMap((effect) => (effect.kind === 'prepend' ? effect : []))
  if (prepends.length === 0) return draft
  const header = prepends.reduce(
    (bytes, { name, value }, index) => insertField(bytes, fieldAsGiven(name, value), index),
    draft.header,
  )
  return { header, body: draft.body }
}

/** A server that answers so for each of many recipients says it once. */
function noteOf(effects: readonly Effect[]): string | null {
  const notes = new Set(effects.flatMap((effect) => (effect.kind === 'note' ? effect.text : [])))
  return notes.size === 0 ? null : [...notes].join('; ').slice(0, 1000)
}
