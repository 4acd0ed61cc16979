/** The views, by the first word of their address, in the order of the navigation. */
import { useEffect, useState } from 'preact/hooks'
import { ConnectorsView } from './connectors/connectors-view.tsx'
import { ExplainView } from './explain/explain-view.tsx'
import { Skeleton } from './parts/shown.tsx'
import { QueuesView } from './queues/queues-view.tsx'
import { RulesView } from './rules/rules-view.tsx'
import { SandboxView } from './sandbox/sandbox-view.tsx'
import { SendersView } from './senders/senders-view.tsx'
import { SettingsView } from './settings/settings-view.tsx'
import { TraceView } from './trace/trace-view.tsx'
import type { View, ViewProps } from './view.ts'
import type { Words } from './words-en.ts'

export type ViewName = keyof Words['views']

export const groups: readonly {
  readonly title: 'mailFlow' | 'queues' | 'tools' | 'administration' | null
  readonly views: readonly ViewName[]
}[] = [
  { title: null, views: ['overview'] },
  { title: 'mailFlow', views: ['connectors', 'senders', 'rules'] },
  { title: 'queues', views: ['queues', 'trace'] },
  { title: 'tools', views: ['explain', 'sandbox'] },
  { title: 'administration', views: ['settings'] },
]

export const firstView: ViewName = 'overview'

const views: Readonly<Record<ViewName, View>> = {
  overview: (props: ViewProps) => <Late props={props} load={loadOverview} />,
  connectors: ConnectorsView,
  senders: SendersView,
  rules: RulesView,
  queues: QueuesView,
  trace: TraceView,
  explain: ExplainView,
  sandbox: SandboxView,
  settings: SettingsView,
}

export function viewOf(name: string): View | null {
  return Object.hasOwn(views, name) ? views[name as ViewName] : null
}

/** It brings the library that draws charts. */
async function loadOverview(): Promise<View> {
  return (await import('./overview/overview-view.tsx')).OverviewView
}

/** A view that brings a library along is loaded when it is opened. */
function Late({ props, load }: { props: ViewProps; load: () => Promise<View> }) {
  const [loaded, setLoaded] = useState<{ view: View } | null>(null)
  useEffect(() => {
    void load().then((view) => setLoaded({ view }))
  }, [])
  if (loaded === null) return <Skeleton />
  return <loaded.view {...props} />
}
