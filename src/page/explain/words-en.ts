/** The words of Explain in English: the same as `relay explain` prints. */
import type { Explanation } from '../../admin/explain/explanation.ts'
import type { RuleMatch } from '../../policy/rules/verdict.ts'
import type { Why } from '../../route/route.ts'
import type { BoundOutcome, CandidateOutcome, DefaultOutcome, Step } from '../../route/steps.ts'

type Named<Name extends Step['step']> = Extract<Step, { step: Name }>

export const en = {
  lead: 'Which connector would a message leave by, and why? Nothing is sent. Each change is answered at once.',
  question: 'The message',
  from: 'Sender',
  fromHint: 'Of the envelope; empty is the null reverse-path',
  to: 'Recipients',
  toHint: 'One or more, separated by commas or lines',
  size: 'Size',
  sizeHint: 'Such as 500KB or 35MB',
  ip: 'Client',
  ipHint: 'IP address: may it submit?',
  more: 'Header, or a whole message',
  headers: 'Header fields',
  headersHint: 'One a line: From: Sales <sales@example.com>',
  message: 'Whole message',
  messageHint:
    'As text; the rules look at all of it, and its size counts. Its header counts instead of the fields above.',
  file: 'Read from a file (.eml)',
  nobody: 'Enter a recipient',
  nobodyHint: 'The answer appears here.',
  routed: 'It leaves',
  notRouted: 'It does not leave',
  notUpToDate: 'What is asked now is wrong; below is the answer before.',
  access: 'May the client submit?',
  mayNot: (reply: string) => `Refused: ${reply}`,
  may: 'It may submit without AUTH (access.networks).',
  mayAs: (senders: string) => `It may submit without AUTH (access.networks), as ${senders}.`,
  defects: {
    none: 'There is no From field, so nobody is bound by it.',
    several: 'The From field has more than one mailbox, so nobody is bound by it.',
    unparsable: 'The From field cannot be read without a guess, so nobody is bound by it.',
  } as Readonly<Record<string, string>>,
  rules: 'Rules',
  ruleColumns: { rule: 'Rule', outcome: 'Outcome' },
  rule: {
    matched: ({ because, actions, mode, recipients }: RuleMatch) => {
      const why = because.map(({ condition, value }) => `${condition} ${value}`).join(', ')
      const does = mode === 'enforce' ? actions.join(', ') : `${actions.join(', ')} (${mode}: not done)`
      return `matches${why === '' ? '' : ` (${why})`} for ${recipients.join(', ')}: ${does}`
    },
    notMatched: (condition: string) => `does not match: ${condition}`,
    excepted: (condition: string, value: string) => `excepted: ${condition} ${value}`,
    disabled: 'is disabled',
    notYetActive: 'is not active yet',
    noLongerActive: 'is no longer active',
    stoppedBefore: 'not asked: an earlier rule ended it',
    notInspected: 'defers: the content could not be inspected',
    passedOver: 'passed over: the content could not be inspected',
  },
  policy: {
    dropped: 'The rules drop it: nobody is told.',
    held: (reason: string) => `Held for an operator: ${reason}`,
    inPlaceOf: (recipient: string) => `In place of ${recipient}, by a rule.`,
    added: 'Added by a rule.',
  },
  steps: {
    noSender: 'No sender counts for a binding.',
    notBound: (sender: string) => `Neither ${sender} nor its domain has a binding.`,
    address: (address: string) => `The address ${address}`,
    domain: (domain: string) => `The domain ${domain}`,
    boundToNone: (whose: string) => `${whose} is bound to no connector, whatever its domain has.`,
    boundTo: (whose: string, connector: string) => `${whose} is bound to the connector ${connector}.`,
    boundConnector: {
      chosen: 'takes it.',
      notCovered:
        'has address spaces of its own, and none of them covers the recipient: on to all connectors.',
      disabled: 'is disabled, and a binding has no fallback: refused for now.',
      tooSmall: 'is too small for the message, and a binding has no fallback: refused.',
      missing: 'does not exist, and a binding has no fallback: refused for now.',
    } satisfies Readonly<Record<BoundOutcome, string>>,
    theBoundConnector: (connector: string) => `The bound connector ${connector}`,
    spaces:
      'Address spaces: the most specific one of a connector that is large enough wins, then cost, then name.',
    noSpace: 'Address spaces: none takes it.',
    noDefault: 'No connector is the default.',
    theDefault: (connector: string) => `The default connector ${connector}`,
    default: {
      chosen: 'takes what is left.',
      disabled: 'is disabled.',
      tooSmall: 'is too small: its maxSendSize is below the message.',
      none: 'does not exist.',
    } satisfies Readonly<Record<DefaultOutcome, string>>,
    nothing: {
      tooLarge: 'The message is too large for every connector that could take it: refused.',
      reject: 'Nothing takes it: refused (routing.unroutable is reject).',
      hold: 'Nothing takes it: kept as unreachable until the configuration changes (routing.unroutable is hold).',
    } satisfies Readonly<Record<Named<'nothing'>['outcome'], string>>,
  },
  candidates: 'Connectors with address spaces',
  candidateColumns: { connector: 'Connector', space: 'Address space', outcome: 'Outcome' },
  candidateOutcomes: {
    chosen: 'is chosen',
    disabled: 'is disabled',
    tooSmall: 'is too small: its maxSendSize is below the message',
    lessSpecific: 'loses: its address space is less specific',
    higherCost: 'loses: its address space is as specific, but costs more',
    laterName: 'loses: as specific and as cheap, but its name comes later',
    noMatch: 'has no address space that matches',
  } satisfies Readonly<Record<CandidateOutcome, string>>,
  decision: {
    connector: (connector: string) => `Leaves by connector ${connector}`,
    refused: (reply: string) => `Refused: ${reply}`,
    unreachable: 'Accepted, and kept as unreachable until the configuration changes',
    dropped: 'Dropped',
  },
  why: {
    senderAddress: (entry: string) => `binding of ${entry}`,
    senderDomain: (entry: string) => `binding of the domain ${entry}`,
    addressSpace: (entry: string) => `address space ${entry}`,
    default: (entry: string) => `default connector ${entry}`,
    policy: (entry: string) => `chosen by a rule: ${entry}`,
  } satisfies Readonly<Record<Why['rule'], (entry: string) => string>>,
  identities: {
    envelope: 'The envelope sender decides whose binding counts (routing.senderIdentity).',
    header: 'The From field decides whose binding counts (routing.senderIdentity).',
    headerOrEnvelope:
      'The From field decides whose binding counts, else the envelope (routing.senderIdentity).',
  } satisfies Readonly<Record<Explanation['sender']['from'], string>>,
}

export type Words = typeof en
