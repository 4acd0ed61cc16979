/**
 * The settings of a connector, page by page. What somebody typed stands over what is stored until it is saved; what is
 * stored meanwhile by somebody else is not overwritten, as the change names the version it was made to.
 */
import { useState } from 'preact/hooks'
import type {
  ChangedConnector,
  ConnectorSettingsView,
  ConnectorView,
} from '../../admin/connectors/connector-view.ts'
import { Problem, pathOf, write } from '../client.ts'
import { Button } from '../parts/button.tsx'
import { useAct } from '../parts/dialog.tsx'
import { Notice, ProblemNotice } from '../parts/notice.tsx'
import { Facts } from '../parts/page.tsx'
import { tell } from '../parts/told.tsx'
import { useMay } from '../session.ts'
import { useFrameWords } from '../words.ts'
import { AddressSpacesField } from './address-spaces-field.tsx'
import { type ConnectorDraft, changesOf, draftOf } from './connector-draft.ts'
import { type DraftFieldsProps, isWithin, wrongAt } from './draft-fields.ts'
import {
  DefaultField,
  FqdnField,
  LimitFields,
  NameField,
  PortFields,
  SizeAndLoggingFields,
  TlsFields,
} from './settings-fields.tsx'
import { SmartHostsField } from './smart-hosts-field.tsx'
import { faultsIn } from './wizard-steps.ts'
import { useConnectorWords } from './words.ts'

export const settingsPages = ['general', 'delivery', 'scoping', 'security', 'limits'] as const
export type SettingsPage = (typeof settingsPages)[number]

/** The settings whose fields stand on a page. */
const settingsOn: Readonly<Record<SettingsPage, readonly string[]>> = {
  general: ['name', 'default', 'maxSendSize', 'protocolLogging'],
  delivery: ['smartHosts', 'port', 'tls'],
  scoping: ['addressSpaces', 'fqdn'],
  security: ['requireTLS', 'tlsAuthLevel', 'tlsDomain', 'ca', 'clientCertificate'],
  limits: ['limits'],
}

interface SettingsFormProps {
  readonly page: SettingsPage
  readonly of: ConnectorView
  readonly settings: ConnectorSettingsView
  again(): Promise<void>
}

export function SettingsForm({ page, of, settings, again }: SettingsFormProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const may = useMay('admin')
  const [edited, edit] = useState<{ version: number | null; change: Partial<ConnectorDraft> } | null>(null)
  const [warnings, setWarnings] = useState<ChangedConnector['warnings']>([])
  const act = useAct()
  const stored = draftOf(settings, { id: of.connector, name: of.name ?? '' })
  const draft = { ...stored, ...edited?.change }
  const changes = changesOf(draft, stored)
  const dirty = Object.keys(changes).length > 0
  const readOnly = of.origin !== 'api' || !may
  const faults = dirty ? faultsOf(draft) : new Map<string, string>()
  const change = (change: Partial<ConnectorDraft>) => {
    act.clear()
    edit((before) => ({ version: before?.version ?? of.version, change: { ...before?.change, ...change } }))
  }
  const save = async () => {
    const [[field, text] = []] = faults
    if (field !== undefined) throw new Problem(text!, { status: 400, field })
    const path = pathOf(['connectors', of.connector])
    const body = { version: edited?.version ?? of.version, ...changes }
    setWarnings((await write<ChangedConnector>('PATCH', path, body)).warnings)
    await again()
    edit(null)
    tell(frame.saved)
  }
  const props: DraftFieldsProps = {
    draft,
    change,
    readOnly,
    wrong: (setting) => wrongAt(act.problem, setting),
  }
  return (
    <form
      class="section"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (dirty) void act.run(save)
      }}
    >
      <h2>{words.tabs[page]}</h2>
      <ProblemNotice
        problem={act.problem}
        shownAt={settingsOn[page].some((setting) => isWithin(act.problem?.field ?? '', setting))}
      />
      {warnings.length > 0 && (
        <Notice tone="warning">
          <p>{words.warnings}</p>
          {warnings.map(({ message }) => (
            <p key={message}>{message}</p>
          ))}
        </Notice>
      )}
      <PageFields page={page} settings={settings} {...props} />
      {!readOnly && (
        <div class="form-foot">
          <Button type="submit" kind="primary" busy={act.busy} unable={dirty ? null : frame.saved}>
            {frame.save}
          </Button>
          {dirty && (
            <>
              <Button
                onClick={() => {
                  act.clear()
                  edit(null)
                  void again()
                }}
              >
                {words.discard}
              </Button>
              <span class="hint unsaved">{words.unsaved}</span>
            </>
          )}
        </div>
      )}
      {of.origin === 'api' && !may && <Notice tone="info">{frame.needs.admin}</Notice>}
    </form>
  )

  function faultsOf(draft: ConnectorDraft): ReadonlyMap<string, string> {
    const steps = ['type', 'hosts', 'security', 'limits'] as const
    const all = steps.flatMap((step) => [...faultsIn(step, draft, words)])
    return new Map(all.filter(([field]) => settingsOn[page].some((setting) => isWithin(field, setting))))
  }
}

function PageFields({
  page,
  settings,
  ...props
}: DraftFieldsProps & Pick<SettingsFormProps, 'page' | 'settings'>) {
  switch (page) {
    case 'general':
      return (
        <>
          <NameField {...props} />
          <DefaultField {...props} />
          <SizeAndLoggingFields {...props} />
        </>
      )
    case 'delivery':
      return (
        <>
          <SmartHostsField {...props} />
          <LoginFacts of={settings} />
          <PortFields {...props} />
        </>
      )
    case 'scoping':
      return (
        <>
          <AddressSpacesField {...props} />
          <FqdnField {...props} />
        </>
      )
    case 'security':
      return <TlsFields {...props} />
    case 'limits':
      return <LimitFields {...props} />
  }
}

function LoginFacts({ of: { smartHostAuthMechanism, user, passwordSet } }: { of: ConnectorSettingsView }) {
  const words = useConnectorWords()
  const { yes, no } = useFrameWords()
  if (smartHostAuthMechanism === 'none')
    return <Facts of={[[words.authentication, words.authenticationOf.none]]} />
  return (
    <Facts
      of={[
        [words.authentication, words.authenticationOf.basicAuth],
        [words.user, user ?? '–'],
        [words.password, passwordSet ? words.passwordSet : '–'],
        [words.onlyAfterTls, smartHostAuthMechanism === 'basicAuthRequireTLS' ? yes : no],
      ]}
    />
  )
}
