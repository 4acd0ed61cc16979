/** What the wizard will make, before it is made; each part can be gone back to. */
import { Button } from '../parts/button.tsx'
import { Facts } from '../parts/page.tsx'
import { useFrameWords } from '../words.ts'
import { type ConnectorDraft, limitNames, namesAreCompared, tlsIsRequired } from './connector-draft.ts'
import type { Step } from './wizard-steps.ts'
import { useConnectorWords } from './words.ts'

export function Summary({ draft, onChange }: { draft: ConnectorDraft; onChange(step: Step): void }) {
  const words = useConnectorWords()
  const { yes, no, none } = useFrameWords()
  const hasLogin = draft.authentication === 'basicAuth'
  const limits = limitNames.filter((name) => draft.limits[name] !== '')
  return (
    <>
      <p class="hint">{words.summaryHint}</p>
      <Part
        step="type"
        onChange={onChange}
        facts={[[words.name, draft.name], ...(draft.id === '' ? [] : [[words.id, draft.id] as const])]}
      />
      <Part step="hosts" onChange={onChange} facts={[[words.smartHosts, draft.smartHosts.join(', ')]]} />
      <Part
        step="authentication"
        onChange={onChange}
        facts={[
          [words.authentication, words.authenticationOf[draft.authentication]],
          ...(hasLogin
            ? ([
                [words.user, draft.user],
                [words.onlyAfterTls, draft.onlyAfterTls ? yes : no],
              ] as const)
            : []),
        ]}
      />
      <Part
        step="spaces"
        onChange={onChange}
        facts={[
          [
            words.addressSpaces,
            draft.addressSpaces.map(({ domain, cost }) => `SMTP:${domain};${cost}`).join(', ') ||
              words.noAddressSpaces,
          ],
          [words.default, draft.default ? yes : no],
        ]}
      />
      <Part
        step="security"
        onChange={onChange}
        facts={[
          [words.port, draft.port],
          [words.tls, words.tlsOf[draft.tls]],
          [words.requireTls, tlsIsRequired(draft) ? yes : no],
          ...(tlsIsRequired(draft)
            ? [[words.tlsAuthLevel, words.tlsAuthLevelOf[draft.tlsAuthLevel][0]!] as const]
            : []),
          ...(draft.tlsDomain === '' || !namesAreCompared(draft)
            ? []
            : [[words.tlsDomain, draft.tlsDomain] as const]),
          ...(draft.fqdn === '' ? [] : [[words.fqdn, draft.fqdn] as const]),
        ]}
      />
      <Part
        step="limits"
        onChange={onChange}
        facts={[
          [words.maxSendSize, draft.maxSendSize],
          [words.protocolLogging, words.protocolLoggingOf[draft.protocolLogging]],
          ...limits.map((name) => [words.limits[name], draft.limits[name]] as const),
          ...(limits.length === 0 ? [[words.steps.limits, none] as const] : []),
        ]}
      />
    </>
  )
}

interface PartProps {
  readonly step: Step
  readonly facts: readonly (readonly [name: string, value: string])[]
  onChange(step: Step): void
}

function Part({ step, facts, onChange }: PartProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  return (
    <section class="summary-part">
      <div class="summary-head">
        <h3>{words.steps[step]}</h3>
        <Button kind="quiet" icon="edit" iconOnly onClick={() => onChange(step)}>
          {`${frame.edit}: ${words.steps[step]}`}
        </Button>
      </div>
      <Facts of={facts} />
    </section>
  )
}
