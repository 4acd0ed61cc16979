/** The first thing an operator sees: whether the relay takes mail, what is in trouble, what passes, how much is left. */
import type { StatusView } from '../../admin/live/status-view.ts'
import { pathOf } from '../client.ts'
import { Page } from '../parts/page.tsx'
import { usePolled } from '../polling.ts'
import type { ViewProps } from '../view.ts'
import { Charts } from './charts.tsx'
import './overview.css'
import { Quotas } from './quotas.tsx'
import { ReadyBadge, Status } from './status.tsx'
import { Troubles } from './troubles.tsx'
import { useOverviewWords } from './words.ts'

export function OverviewView(_props: ViewProps) {
  const words = useOverviewWords()
  const status = usePolled<StatusView>(pathOf(['status']), { everyMs: 3000 })
  return (
    <div class="overview">
      <Page title={words.title} beside={status.answer && <ReadyBadge of={status.answer} />}>
        <Status of={status} />
        <Troubles />
        <Charts />
        <Quotas />
      </Page>
    </div>
  )
}
