/** A rule's conditions, or its exceptions, compiled and in the order in which they are asked: the cheapest first. */
import type { Conditions } from '../../config/policy-schema.ts'
import type { NamedLists } from './address-list.ts'
import type { Compilers, ConditionKey, Find, FindInContent } from './condition.ts'
import { contentConditions } from './conditions-content.ts'
import { recipientConditions, sessionConditions, wholeEnvelopeConditions } from './conditions-envelope.ts'
import { headerConditions } from './conditions-header.ts'
import type { EnvelopeFacts, MessageFacts } from './facts.ts'
import type { Mailbox } from './mailbox.ts'

/** A condition and what it finds. */
export interface Asked<Subject> {
  readonly key: ConditionKey
  readonly find: Find<Subject>
}

export interface AskedOfContent extends FindInContent {
  readonly key: ConditionKey
}

export interface ConditionSet {
  /** Known since MAIL. */
  readonly session: readonly Asked<EnvelopeFacts>[]
  /** Of each recipient for itself. */
  readonly recipient: readonly Asked<Mailbox>[]
  /** The envelope as a whole, then the header. */
  readonly message: readonly Asked<MessageFacts>[]
  readonly content: readonly AskedOfContent[]
}

export function compileConditions(conditions: Conditions, lists: NamedLists): ConditionSet {
  const from = { conditions, lists }
  return {
    session: compiled(sessionConditions, from).map(asked),
    recipient: compiled(recipientConditions, from).map(asked),
    message: [
      ...compiled(wholeEnvelopeConditions, from).map(asked),
      ...compiled(headerConditions, from).map(asked),
    ],
    content: compiled(contentConditions, from).map(([key, condition]) => ({ key, ...condition })),
  }
}

function asked<Subject>([key, find]: readonly [ConditionKey, Find<Subject>]): Asked<Subject> {
  return { key, find }
}

/** Those of a kind that the rule has, in the order of the kind's table. */
function compiled<Keys extends ConditionKey, Compiled>(
  compilers: Compilers<Keys, Compiled>,
  from: { readonly conditions: Conditions; readonly lists: NamedLists },
): (readonly [Keys, Compiled])[] {
  return (Object.keys(compilers) as Keys[]).flatMap((key) => {
    const one = compileOne(compilers, key, from)
    return one === null ? [] : [[key, one] as const]
  })
}

function compileOne<Key extends ConditionKey, Compiled>(
  compilers: Compilers<Key, Compiled>,
  key: Key,
  from: { readonly conditions: Conditions; readonly lists: NamedLists },
): Compiled | null {
  const value = from.conditions[key]
  return value === undefined ? null : compilers[key](value, from.lists)
}
