/** The other fields of a connector, in the groups in which they are shown. */
import { Button } from '../parts/button.tsx'
import { CheckField, ChoiceField, SelectField, TextField } from '../parts/fields.tsx'
import { limitNames, namesAreCompared, tlsIsDemanded, tlsIsRequired } from './connector-draft.ts'
import type { DraftFieldsProps } from './draft-fields.ts'
import { useConnectorWords } from './words.ts'

export function NameField({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <TextField
      label={words.name}
      hint={words.nameHint}
      value={draft.name}
      disabled={readOnly}
      wrong={wrong('name')}
      onInput={(name) => change({ name })}
    />
  )
}

export function DefaultField({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <CheckField
      label={words.default}
      hint={words.defaultHint}
      checked={draft.default}
      disabled={readOnly}
      wrong={wrong('default')}
      onChange={(isDefault) => change({ default: isDefault })}
    />
  )
}

export function SizeAndLoggingFields({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <div class="fields two">
      <TextField
        label={words.maxSendSize}
        hint={words.maxSendSizeHint}
        kind="number"
        min={1}
        max={2048}
        value={draft.maxSendSize}
        disabled={readOnly}
        wrong={wrong('maxSendSize')}
        onInput={(maxSendSize) => change({ maxSendSize })}
      />
      <SelectField
        label={words.protocolLogging}
        value={draft.protocolLogging}
        options={[
          ['none', words.protocolLoggingOf.none],
          ['verbose', words.protocolLoggingOf.verbose],
        ]}
        disabled={readOnly}
        wrong={wrong('protocolLogging')}
        onChange={(protocolLogging) => change({ protocolLogging })}
      />
    </div>
  )
}

export function PortFields({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <div class="fields two">
      <TextField
        label={words.port}
        hint={words.portHint}
        kind="number"
        min={1}
        max={65_535}
        value={draft.port}
        disabled={readOnly}
        wrong={wrong('port')}
        onInput={(port) => change({ port })}
      />
      <SelectField
        label={words.tls}
        value={draft.tls}
        options={[
          ['starttls', words.tlsOf.starttls],
          ['implicit', words.tlsOf.implicit],
        ]}
        disabled={readOnly}
        wrong={wrong('tls')}
        onChange={(tls) => change({ tls })}
      />
    </div>
  )
}

export function FqdnField({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <TextField
      label={words.fqdn}
      hint={words.fqdnHint}
      optional
      code
      value={draft.fqdn}
      disabled={readOnly}
      wrong={wrong('fqdn')}
      onInput={(fqdn) => change({ fqdn })}
    />
  )
}

export function TlsFields(props: DraftFieldsProps) {
  const { draft, change, wrong, readOnly } = props
  const words = useConnectorWords()
  const demanded = tlsIsDemanded(draft)
  const required = tlsIsRequired(draft)
  const levels = ['encryptionOnly', 'certificateValidation', 'domainValidation'] as const
  return (
    <div class="fields">
      <CheckField
        label={words.requireTls}
        hint={demanded ? words.requireTlsForced : words.requireTlsHint}
        checked={required}
        disabled={readOnly || demanded}
        wrong={wrong('requireTLS')}
        onChange={(requireTLS) => change({ requireTLS })}
      />
      <ChoiceField
        label={words.tlsAuthLevel}
        hint={required ? undefined : words.tlsAuthLevelUnused}
        value={draft.tlsAuthLevel}
        options={levels.map((value) => {
          const [label, hint] = words.tlsAuthLevelOf[value]
          return { value, label: label!, hint }
        })}
        disabled={readOnly || !required}
        wrong={wrong('tlsAuthLevel')}
        onChange={(tlsAuthLevel) => change({ tlsAuthLevel })}
      />
      <TextField
        label={words.tlsDomain}
        hint={words.tlsDomainHint}
        optional
        code
        value={draft.tlsDomain}
        disabled={readOnly || !namesAreCompared(draft)}
        wrong={wrong('tlsDomain')}
        onInput={(tlsDomain) => change({ tlsDomain })}
      />
      <CertificateFields {...props} />
    </div>
  )
}

const pemPlaceholder = '-----BEGIN CERTIFICATE-----'

function CertificateFields({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <details
      open={
        wrong('ca') !== null ||
        wrong('clientCertificate') !== null ||
        draft.ca !== '' ||
        draft.clientCertificate !== ''
      }
    >
      <summary>{`${words.ca}, ${words.clientCertificate}`}</summary>
      <div class="fields">
        <TextField
          label={words.ca}
          hint={words.caHint}
          optional
          code
          lines={4}
          placeholder={pemPlaceholder}
          value={draft.ca}
          disabled={readOnly}
          wrong={wrong('ca')}
          onInput={(ca) => change({ ca })}
        />
        <TextField
          label={words.clientCertificate}
          hint={words.clientCertificateHint}
          optional
          code
          lines={4}
          placeholder={pemPlaceholder}
          value={draft.clientCertificate}
          disabled={readOnly}
          wrong={wrong('clientCertificate.cert')}
          onInput={(clientCertificate) => change({ clientCertificate })}
        />
        {draft.clientCertificate !== '' && (
          <>
            <TextField
              label={words.clientKey}
              code
              lines={4}
              placeholder="-----BEGIN PRIVATE KEY-----"
              value={draft.clientKey}
              disabled={readOnly}
              wrong={wrong('clientCertificate.key')}
              hint={words.clientKeySet}
              onInput={(clientKey) => change({ clientKey })}
            />
            {!readOnly && (
              <div>
                <Button icon="remove" onClick={() => change({ clientCertificate: '', clientKey: '' })}>
                  {words.removeClientCertificate}
                </Button>
              </div>
            )}
          </>
        )}
      </div>
    </details>
  )
}

export function LimitFields({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <>
      <p class="hint">{words.limitsHint}</p>
      <div class="fields two">
        {limitNames.map((name) => (
          <TextField
            key={name}
            label={words.limits[name]}
            kind="number"
            min={1}
            value={draft.limits[name]}
            placeholder={name === 'connections' || name === 'messagesPerConnection' ? '20' : words.noLimit}
            disabled={readOnly}
            wrong={wrong(`limits.${name}`)}
            onInput={(value) => change({ limits: { ...draft.limits, [name]: value } })}
          />
        ))}
      </div>
    </>
  )
}
