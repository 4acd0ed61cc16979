/**
 * The wizard "New send connector", in the steps of the Exchange admin center; what Exchange leaves to its shell (port,
 * TLS, limits) has steps of its own. Nothing is stored before Finish. A refusal of the relay leads back to its field.
 */
import type { FunctionComponent } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { ConnectorTest } from '../../admin/connectors/connector-test-view.ts'
import type { ChangedConnector } from '../../admin/connectors/connector-view.ts'
import { pathOf, write } from '../client.ts'
import { Button, ButtonLink } from '../parts/button.tsx'
import { useAct } from '../parts/dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { Page } from '../parts/page.tsx'
import { tell } from '../parts/told.tsx'
import { go, hrefTo, type Route } from '../router.ts'
import { useFrameWords } from '../words.ts'
import { AddressSpacesField } from './address-spaces-field.tsx'
import { AuthenticationFields } from './authentication-fields.tsx'
import {
  type ConnectorDraft,
  type ConnectorType,
  changed,
  inputOf,
  newDraft,
  withType,
} from './connector-draft.ts'
import { type DraftFieldsProps, wrongAt } from './draft-fields.ts'
import { HostsStep, TypeStep } from './first-steps.tsx'
import {
  DefaultField,
  FqdnField,
  LimitFields,
  PortFields,
  SizeAndLoggingFields,
  TlsFields,
} from './settings-fields.tsx'
import { Summary } from './summary.tsx'
import { TestResult } from './test-result.tsx'
import { faultsIn, type Step, stepOf, steps } from './wizard-steps.ts'
import { useConnectorWords } from './words.ts'

export interface StepProps extends DraftFieldsProps {
  readonly type: ConnectorType
  chooseType(type: ConnectorType): void
}

const fieldsOf: Readonly<Record<Exclude<Step, 'summary'>, FunctionComponent<StepProps>>> = {
  type: TypeStep,
  hosts: HostsStep,
  authentication: (props) => <AuthenticationFields {...props} passwordSet={false} />,
  spaces: (props) => (
    <>
      <AddressSpacesField {...props} />
      <DefaultField {...props} />
    </>
  ),
  security: (props) => (
    <>
      <PortFields {...props} />
      <TlsFields {...props} />
      <FqdnField {...props} />
    </>
  ),
  limits: (props) => (
    <>
      <SizeAndLoggingFields {...props} />
      <LimitFields {...props} />
    </>
  ),
}

export function Wizard({ route }: { route: Route }) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const [draft, setDraft] = useState<ConnectorDraft>(newDraft)
  const [type, setType] = useState<ConnectorType>('custom')
  const [reached, setReached] = useState(0)
  /** Whether what is missing in this step is shown: not before somebody tried to go on. */
  const [tried, setTried] = useState(false)
  const finishing = useAct()
  const testing = useAct()
  const [tested, setTested] = useState<ConnectorTest | null>(null)
  const at = Math.min(Math.max(0, steps.indexOf(route.query.get('step') as Step)), reached)
  const step = steps[at]!
  const heading = useHeadingFocus(step)
  const faults = faultsIn(step, draft, words)
  const refused = [finishing.problem, testing.problem].find((problem) => problem !== null) ?? null
  const change = (change: Partial<ConnectorDraft>) => {
    setDraft((before) => changed(before, change))
    setTested(null)
    finishing.clear()
    testing.clear()
  }
  const moveTo = (index: number) => {
    setTried(false)
    setReached((before) => Math.max(before, index))
    go(`${hrefTo('connectors', 'new')}?step=${steps[index]}`)
  }
  const next = () => {
    if (faults.size > 0) setTried(true)
    else moveTo(at + 1)
  }
  const finish = async () => {
    let made: ChangedConnector | null = null
    const done = await finishing.run(async () => {
      made = await write<ChangedConnector>('POST', pathOf(['connectors']), inputOf(draft))
    })
    if (done && made !== null) leave(made as ChangedConnector)
  }
  const leave = ({ connector, warnings }: ChangedConnector) => {
    tell(words.created(connector.name ?? connector.connector))
    for (const { message } of warnings) tell(message, 'warning')
    go(hrefTo('connectors', connector.connector))
  }
  const test = () =>
    testing.run(async () => {
      setTested(null)
      const { id: _id, ...input } = inputOf(draft)
      setTested(await write<ConnectorTest>('POST', pathOf(['connectors', 'test']), input))
    })
  // A refusal belongs to a field, and the field to a step.
  useEffect(() => {
    const there = stepOf(refused?.field ?? null)
    if (there !== null && step === 'summary') moveTo(steps.indexOf(there))
  }, [refused])
  const props: StepProps = {
    draft,
    type,
    change,
    readOnly: false,
    wrong: (setting) => (tried ? faults.get(setting) : null) ?? wrongAt(refused, setting),
    chooseType: (chosen) => {
      setDraft((before) => withType(before, type, chosen))
      setType(chosen)
    },
  }
  const Fields = step === 'summary' ? null : fieldsOf[step]
  return (
    <Page title={words.wizard} back={{ href: hrefTo('connectors'), label: words.title }}>
      <div class="wizard">
        <StepList at={at} reached={reached} />
        <form
          class="section"
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            void (step === 'summary' ? finish() : next())
          }}
        >
          <div>
            <p class="hint">{words.step(String(at + 1), String(steps.length))}</p>
            <h2 ref={heading} tabIndex={-1}>
              {words.steps[step]}
            </h2>
          </div>
          <ProblemNotice problem={refused} shownAt={stepOf(refused?.field ?? null) === step} />
          {Fields === null ? (
            <Summary draft={draft} onChange={(there) => moveTo(steps.indexOf(there))} />
          ) : (
            <Fields {...props} />
          )}
          {step === 'summary' && (
            <div class="wizard-test" aria-busy={testing.busy}>
              <Button icon="test" needs="admin" busy={testing.busy} onClick={() => void test()}>
                {tested === null ? words.test : words.testAgain}
              </Button>
              <span class="hint" role="status">
                {testing.busy ? words.testing : words.testHint}
              </span>
            </div>
          )}
          {step === 'summary' && tested && <TestResult of={tested} />}
          <div class="form-foot">
            {at > 0 && (
              <Button icon="back" onClick={() => moveTo(at - 1)}>
                {words.back}
              </Button>
            )}
            {step === 'summary' ? (
              <Button type="submit" kind="primary" needs="admin" busy={finishing.busy}>
                {words.finish}
              </Button>
            ) : (
              <Button type="submit" kind="primary">
                {words.next}
              </Button>
            )}
            <ButtonLink kind="quiet" href={hrefTo('connectors')}>
              {frame.cancel}
            </ButtonLink>
          </div>
        </form>
      </div>
    </Page>
  )
}

function StepList({ at, reached }: { at: number; reached: number }) {
  const words = useConnectorWords()
  return (
    <nav class="wizard-steps" aria-label={words.stepsLabel}>
      <ol>
        {steps.map((step, index) => (
          <li key={step} class={index < at ? 'done' : undefined}>
            {index <= reached ? (
              <a
                href={`${hrefTo('connectors', 'new')}?step=${step}`}
                aria-current={index === at ? 'step' : undefined}
              >
                <StepMark index={index} done={index < at} />
                {words.steps[step]}
              </a>
            ) : (
              <span class="later">
                <StepMark index={index} done={false} />
                {words.steps[step]}
              </span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  )
}

function StepMark({ index, done }: { index: number; done: boolean }) {
  return <span class="step-mark">{done ? <Icon name="check" /> : index + 1}</span>
}

/** Whoever moves to another step is at its beginning, also without seeing it. */
function useHeadingFocus(step: Step) {
  const heading = useRef<HTMLHeadingElement>(null)
  const first = useRef(true)
  useLayoutEffect(() => {
    if (!first.current) heading.current?.focus()
    first.current = false
  }, [step])
  return heading
}
