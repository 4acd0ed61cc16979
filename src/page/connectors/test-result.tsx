/** A test of smart hosts, as it was found: each step with the host's reply, and what its certificate says. */
import type { ConnectorTest } from '../../admin/connectors/connector-test-view.ts'
import { useFormats } from '../language.ts'
import { Badge } from '../parts/badge.tsx'
import { Notice } from '../parts/notice.tsx'
import { Facts } from '../parts/page.tsx'
import { useConnectorWords } from './words.ts'

type TestedHost = ConnectorTest['hosts'][number]
type Certificate = NonNullable<TestedHost['certificate']>

export function TestResult({ of: { ok, hosts, port } }: { of: ConnectorTest }) {
  const words = useConnectorWords()
  return (
    <div class="test-result" role="status">
      <Notice tone={ok ? 'good' : 'bad'}>{ok ? words.testOk : words.testBad}</Notice>
      {hosts.map((host) => (
        <Host key={`${host.smartHost} ${host.address}`} of={host} port={port} />
      ))}
    </div>
  )
}

function Host({
  of: { smartHost, address, steps, extensions, certificate },
  port,
}: {
  of: TestedHost
  port: number
}) {
  const words = useConnectorWords()
  const name = address === null || address === smartHost ? smartHost : `${smartHost} [${address}]`
  return (
    <section class="tested-host">
      <h3>{`${name}, ${words.port} ${port}`}</h3>
      <ol class="test-steps">
        {steps.map(({ step, ok, text }) => (
          <li key={step}>
            <Badge tone={ok ? 'good' : 'bad'}>
              {words.testSteps[step] ?? step}
              <span class="unseen">{`: ${ok ? words.stepOk : words.stepBad}`}</span>
            </Badge>
            <code>{text}</code>
          </li>
        ))}
      </ol>
      {extensions.length > 0 && (
        <Facts of={[[words.extensions, <code key="extensions">{extensions.join(', ')}</code>]]} />
      )}
      {certificate && <CertificateFacts of={certificate} />}
    </section>
  )
}

function CertificateFacts({ of }: { of: Certificate }) {
  const words = useConnectorWords()
  const formats = useFormats()
  const { certificate } = words
  const day = (text: string) => (Number.isNaN(Date.parse(text)) ? text : formats.day(Date.parse(text)))
  return (
    <div class="certificate">
      <h4>{certificate.title}</h4>
      <Facts
        of={[
          [certificate.subject, of.subject],
          [certificate.names, of.names || '–'],
          [certificate.issuer, of.issuer],
          [certificate.valid, certificate.validFrom(day(of.validFrom), day(of.validTo))],
          [certificate.chain, <Verdict key="chain" fault={of.chainFault} good={certificate.chainOk} />],
          [certificate.name, <Verdict key="name" fault={of.nameFault} good={certificate.nameOk} />],
        ]}
      />
    </div>
  )
}

function Verdict({ fault, good }: { fault: string | null; good: string }) {
  return <span class={fault === null ? 'good-text' : 'bad-text'}>{fault ?? good}</span>
}
