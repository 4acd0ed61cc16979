/** The relay as it says itself. */
import type { StatusView } from '../../admin/live/status-view.ts'
import { pathOf } from '../client.ts'
import { useFormats } from '../language.ts'
import { Notice } from '../parts/notice.tsx'
import { Facts, Section } from '../parts/page.tsx'
import { Shown } from '../parts/shown.tsx'
import { usePolled } from '../polling.ts'
import { useSettingsWords } from './words.ts'

export function About() {
  const words = useSettingsWords()
  const polled = usePolled<StatusView>(pathOf(['status']), { everyMs: 10_000 })
  return (
    <Section title={words.about}>
      <Shown of={polled}>{(status) => <AboutFacts of={status} />}</Shown>
      <p>
        {words.apiHint} <a href="./reference">{words.reference}</a>,{' '}
        <a href="./openapi.json">{words.openapi}</a>
      </p>
    </Section>
  )
}

function AboutFacts({ of }: { of: StatusView }) {
  const words = useSettingsWords()
  const formats = useFormats()
  const { facts } = words
  return (
    <>
      {of.unusable.length > 0 && (
        <Notice tone="warning">
          <p>{words.unusable}</p>
          <ul>
            {of.unusable.map(({ kind, id, why }) => (
              <li key={`${kind} ${id}`}>{`${kind} ${id}: ${why}`}</li>
            ))}
          </ul>
        </Notice>
      )}
      <Facts
        of={[
          [facts.hostname, of.hostname],
          [facts.version, of.version],
          [facts.store, words.stores[of.store]],
          [facts.node, <code key="node">{of.node}</code>],
          [facts.started, `${formats.instant(of.startedAt)} (${formats.relative(of.startedAt, of.now)})`],
          [facts.clock, formats.instant(of.now)],
          [facts.memory, formats.bytes(of.memoryBytes)],
          [facts.sandbox, of.sandbox ? words.running : words.off],
          [facts.tracking, of.tracking ? words.on : words.off],
          [facts.revision, formats.number(of.revision)],
          [
            facts.listeners,
            <ul key="listeners">
              {of.listeners.map(({ name, address, port, tls }) => (
                <li key={name}>{words.listener(name, withPort(address, port), tls)}</li>
              ))}
            </ul>,
          ],
        ]}
      />
    </>
  )
}

const withPort = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
