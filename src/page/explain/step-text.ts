/** The steps of a decision as sentences, in the page's language. Pure. */
import { assertNever } from '../../assert-never.ts'
import type { RuleOutcome } from '../../policy/rules/verdict.ts'
import type { Reply } from '../../reply.ts'
import type { Decision, Why } from '../../route/route.ts'
import type { Step } from '../../route/steps.ts'
import type { Words } from './words-en.ts'

/** The candidates of `addressSpaces` stand in a table of their own. */
export function stepText(step: Step, words: Words): string {
  const { steps } = words
  switch (step.step) {
    case 'binding':
      return bindingText(step, words)
    case 'boundConnector':
      return `${steps.theBoundConnector(step.connector)} ${steps.boundConnector[step.outcome]}`
    case 'addressSpaces':
      return step.candidates.some(({ outcome }) => outcome === 'chosen') ? steps.spaces : steps.noSpace
    case 'default':
      return step.connector === null
        ? steps.noDefault
        : `${steps.theDefault(step.connector)} ${steps.default[step.outcome]}`
    case 'nothing':
      return steps.nothing[step.outcome]
    default:
      return assertNever(step)
  }
}

function bindingText({ sender, binding }: Extract<Step, { step: 'binding' }>, { steps }: Words): string {
  if (sender === null) return steps.noSender
  if (binding === null) return steps.notBound(sender)
  const whose = binding.of === 'address' ? steps.address(binding.value) : steps.domain(binding.value)
  return binding.connector === null ? steps.boundToNone(whose) : steps.boundTo(whose, binding.connector)
}

export function outcomeText(outcome: RuleOutcome['outcome'], { rule }: Words): string {
  switch (outcome.kind) {
    case 'matched':
      return rule.matched(outcome.match)
    case 'notMatched':
      return rule.notMatched(outcome.condition)
    case 'excepted':
      return rule.excepted(outcome.condition, outcome.value)
    default:
      return rule[outcome.kind]
  }
}

/** Null is a recipient that the rules dropped. */
export function decisionText(
  decision: Decision | null,
  { words: { decision: words }, nameOf }: { words: Words; nameOf: (connector: string) => string },
): string {
  if (decision === null) return words.dropped
  switch (decision.kind) {
    case 'connector':
      return words.connector(nameOf(decision.connector))
    case 'refuse':
      return words.refused(replyText(decision.reply))
    case 'unreachable':
      return words.unreachable
    default:
      return assertNever(decision)
  }
}

export function whyText({ rule, entry }: Why, { why }: Words): string {
  return why[rule](entry)
}

export function replyText({ code, enhanced, text }: Reply): string {
  return [code, enhanced, text].filter((part) => part !== null && part !== '').join(' ')
}
