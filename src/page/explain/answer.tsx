/** What would become of the message: may it be submitted, what the rules do, and by what way each recipient leaves. */
import type { ExplainedRecipient, Explanation } from '../../admin/explain/explanation.ts'
import type { RuleOutcome } from '../../policy/rules/verdict.ts'
import type { Decision } from '../../route/route.ts'
import type { RankedCandidate, Step } from '../../route/steps.ts'
import { useFormats } from '../language.ts'
import { Badge, type Tone } from '../parts/badge.tsx'
import { Notice } from '../parts/notice.tsx'
import { Section } from '../parts/page.tsx'
import { Table } from '../parts/table.tsx'
import { useConnectorNames } from '../queues/use-connector-names.ts'
import { policyNotes } from './policy-note.ts'
import { decisionText, outcomeText, replyText, stepText, whyText } from './step-text.ts'
import { useExplainWords } from './words.ts'

export function Answer({ of: { access, sender, policy, recipients } }: { of: Explanation }) {
  const words = useExplainWords()
  const nameOf = useConnectorNames()
  return (
    <>
      {access !== null && <Access of={access} />}
      {sender.defect !== null && <Notice tone="info">{words.defects[sender.defect] ?? sender.defect}</Notice>}
      {policy !== null && policy.outcomes.length > 0 && <Rules outcomes={policy.outcomes} />}
      {recipients.map((recipient, index) => (
        <Recipient
          key={`${index} ${recipient.recipient}`}
          {...recipient}
          identity={sender.from}
          nameOf={nameOf}
        />
      ))}
    </>
  )
}

function Access({ of: { senders, refusal } }: { of: NonNullable<Explanation['access']> }) {
  const words = useExplainWords()
  const formats = useFormats()
  const text =
    refusal !== null
      ? words.mayNot(replyText(refusal))
      : senders === null || senders === 'all'
        ? words.may
        : words.mayAs(formats.list(senders))
  return (
    <Section title={words.access}>
      <Notice tone={refusal === null ? 'good' : 'bad'}>{text}</Notice>
    </Section>
  )
}

function Rules({ outcomes }: { outcomes: readonly RuleOutcome[] }) {
  const words = useExplainWords()
  return (
    <Section title={words.rules}>
      <Table
        label={words.rules}
        rows={outcomes}
        keyOf={({ rule }) => rule}
        columns={[
          { title: words.ruleColumns.rule, cell: ({ rule }) => rule },
          {
            title: words.ruleColumns.outcome,
            cell: ({ outcome }) => (
              <span class={outcome.kind === 'matched' ? 'decides' : 'soft'}>
                {outcomeText(outcome, words)}
              </span>
            ),
          },
        ]}
      />
    </Section>
  )
}

type RecipientProps = ExplainedRecipient & {
  readonly identity: Explanation['sender']['from']
  readonly nameOf: (connector: string) => string
}

function Recipient({ recipient, policy, steps, decision, identity, nameOf }: RecipientProps) {
  const words = useExplainWords()
  return (
    <Section title={recipient}>
      {policy !== null && <Notice tone="info">{policyNotes(policy, words).join(' ')}</Notice>}
      {steps?.some(({ step }) => step === 'binding') && identity !== 'envelope' && (
        <p class="hint">{words.identities[identity]}</p>
      )}
      {steps !== null && (
        <ol class="steps">
          {steps.map((step) => (
            <li key={step.step}>
              {stepText(step, words)}
              <Candidates of={step} />
            </li>
          ))}
        </ol>
      )}
      <Decided decision={decision} nameOf={nameOf} />
    </Section>
  )
}

function Candidates({ of: step }: { of: Step }) {
  const words = useExplainWords()
  if (step.step !== 'addressSpaces' || step.candidates.length === 0) return null
  const { candidateColumns: titles } = words
  const textOf = ({ outcome }: RankedCandidate) => words.candidateOutcomes[outcome]
  return (
    <Table
      label={words.candidates}
      rows={step.candidates}
      keyOf={({ connector, space }) => `${connector} ${space}`}
      columns={[
        { title: titles.connector, cell: ({ connector, name }) => `${name} (${connector})` },
        { title: titles.space, cell: ({ space }) => (space === null ? '–' : <code>{space}</code>) },
        {
          title: titles.outcome,
          cell: (candidate) => (
            <span class={candidate.outcome === 'chosen' ? 'decides' : 'soft'}>{textOf(candidate)}</span>
          ),
        },
      ]}
    />
  )
}

const tones: Readonly<Record<Decision['kind'], Tone>> = {
  connector: 'good',
  refuse: 'bad',
  unreachable: 'warning',
}

interface DecidedProps {
  readonly decision: Decision | null
  readonly nameOf: (connector: string) => string
}

function Decided({ decision, nameOf }: DecidedProps) {
  const words = useExplainWords()
  return (
    <p class="decision">
      <Badge tone={decision === null ? 'off' : tones[decision.kind]}>
        {decisionText(decision, { words, nameOf })}
      </Badge>
      {decision?.kind === 'connector' && <span class="hint">{whyText(decision.why, words)}</span>}
    </p>
  )
}
