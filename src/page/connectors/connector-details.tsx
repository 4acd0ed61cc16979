/**
 * One connector: how it stands, and its settings on the pages that the Exchange admin center has for them. What the
 * configuration file says is shown and cannot be changed.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { pathOf } from '../client.ts'
import { ButtonLink } from '../parts/button.tsx'
import { Notice } from '../parts/notice.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { usePolled } from '../polling.ts'
import { ConnectorState } from '../queues/connector-state.tsx'
import { messagesHref } from '../queues/places.ts'
import { hrefTo, type Route } from '../router.ts'
import { useFrameWords } from '../words.ts'
import { ConnectorActs } from './connector-acts.tsx'
import { ConnectorStatus } from './connector-status.tsx'
import { SettingsForm, type SettingsPage, settingsPages } from './settings-form.tsx'
import { useConnectorWords } from './words.ts'

export function ConnectorDetails({ id, route }: { id: string; route: Route }) {
  const words = useConnectorWords()
  const polled = usePolled<ConnectorView>(pathOf(['connectors', id]), { everyMs: 5000 })
  const back = { href: hrefTo('connectors'), label: words.title }
  const [deleted, setDeleted] = useState(false)
  if (polled.problem?.status === 404 && !deleted)
    return (
      <Page title={words.missing(id)} back={back}>
        <Empty title={words.missing(id)}>
          <ButtonLink href={back.href}>{words.title}</ButtonLink>
        </Empty>
      </Page>
    )
  const { answer } = polled
  return (
    <Page
      title={answer?.name ?? words.number(id)}
      back={back}
      beside={answer && <ConnectorState of={answer} />}
      toolbar={
        answer && (
          <>
            <ConnectorActs of={answer} again={polled.again} onDeleted={() => setDeleted(true)} />
            <ButtonLink kind="quiet" href={messagesHref({ connector: id })}>
              {words.queueLink}
            </ButtonLink>
          </>
        )
      }
    >
      <Shown of={polled}>
        {(connector) => <Pages of={connector} shown={pageOf(route)} again={polled.again} />}
      </Shown>
    </Page>
  )
}

type ShownPage = 'status' | SettingsPage
const pages: readonly ShownPage[] = ['status', ...settingsPages]

const pageOf = (route: Route): ShownPage => pages.find((page) => page === route.query.get('page')) ?? 'status'

interface PagesProps {
  readonly of: ConnectorView
  readonly shown: ShownPage
  again(): Promise<void>
}

function Pages({ of, shown, again }: PagesProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const { connector, settings, origin } = of
  const tabs = useRef<HTMLElement>(null)
  // Where there is not room for all of them.
  useEffect(() => {
    tabs.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [shown])
  return (
    <>
      <nav ref={tabs} class="tabs" aria-label={words.sections}>
        {pages.map((page) => (
          <a
            key={page}
            href={`${hrefTo('connectors', connector)}?page=${page}`}
            aria-current={page === shown ? 'page' : undefined}
          >
            {words.tabs[page]}
          </a>
        ))}
      </nav>
      {shown === 'status' || settings === null ? (
        <ConnectorStatus of={of} />
      ) : (
        <>
          {origin === 'file' && <Notice tone="info">{frame.fromFile}</Notice>}
          <SettingsForm key={shown} page={shown} of={of} settings={settings} again={again} />
        </>
      )}
    </>
  )
}
