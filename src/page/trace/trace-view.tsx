/** Message trace: which messages match, and the way of each of them. What is searched for stands in the address. */

import type { StatusView } from '../../admin/live/status-view.ts'
import { pathOf } from '../client.ts'
import { Notice } from '../parts/notice.tsx'
import { Page } from '../parts/page.tsx'
import { usePolled } from '../polling.ts'
import { go, hrefTo } from '../router.ts'
import type { ViewProps } from '../view.ts'
import { useFrameWords } from '../words.ts'
import { Results } from './results.tsx'
import { SearchForm } from './search-form.tsx'
import { readTraceQuery, type TraceQuery, traceParameters } from './trace-query.ts'
import './trace.css'
import { useTrace } from './trace-search.ts'
import { useTraceWords } from './words.ts'

export function TraceView({ route }: ViewProps) {
  const frame = useFrameWords()
  const words = useTraceWords()
  const query = readTraceQuery(route.query)
  const key = traceParameters(query).toString()
  const trace = useTrace(query, key)
  const status = usePolled<StatusView>(pathOf(['status']))
  return (
    <div class="trace">
      <Page title={frame.views.trace} lead={words.lead}>
        {status.answer?.tracking === false && (
          <Notice tone="warning">
            {words.off}: {words.offHint}
          </Notice>
        )}
        <SearchForm
          key={key}
          query={query}
          refused={trace.problem?.status === 400 ? trace.problem : null}
          onSearch={(wanted) => (sameAs(wanted, key) ? trace.search() : go(traceHref(wanted)))}
        />
        <Results of={trace} query={query} />
      </Page>
    </div>
  )
}

const sameAs = (query: TraceQuery, key: string): boolean => traceParameters(query).toString() === key

function traceHref(query: TraceQuery): string {
  const parameters = traceParameters(query)
  return parameters.size === 0 ? hrefTo('trace') : `${hrefTo('trace')}?${parameters}`
}
