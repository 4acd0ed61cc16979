/** What a condition of a rule is, once it is compiled: by what it has to know, cheapest first. */
import type { Conditions } from '../../config/policy-schema.ts'
import type { MessageContent } from '../../message/content/content.ts'
import { printable } from '../../reply.ts'
import type { NamedLists } from './address-list.ts'
import type { MessageFacts } from './facts.ts'
import { masked } from './sensitive-data.ts'

export type ConditionKey = keyof Conditions

/** The value that satisfies the condition, as it is told; null where nothing does. */
export type Find<Subject> = (subject: Subject) => string | null

export interface FindInContent {
  /** What the header alone satisfies, so that the content need not be read. */
  readonly inHeader?: Find<MessageFacts>
  find(facts: MessageFacts, content: MessageContent): string | null
}

/** How conditions of some kind are compiled, by their keys. */
export type Compilers<Keys extends ConditionKey, Compiled> = {
  readonly [Key in Keys]: (value: NonNullable<Conditions[Key]>, lists: NamedLists) => Compiled
}

/** Of a text from outside: one line of at most 100 characters, in which no card number or IBAN stands in clear. */
export function shown(value: string): string {
  return printable(masked(value.slice(0, 400))).slice(0, 100)
}
