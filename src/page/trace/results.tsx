/** The messages that match, each a line that opens into its history; and all matching lines as a file. */
import { useState } from 'preact/hooks'
import { useFormats } from '../language.ts'
import { Address } from '../parts/address.tsx'
import { Badge, type Tone } from '../parts/badge.tsx'
import { Button } from '../parts/button.tsx'
import { useAct } from '../parts/dialog.tsx'
import { Notice, ProblemNotice } from '../parts/notice.tsx'
import { Empty, Failure, Skeleton } from '../parts/shown.tsx'
import { tell } from '../parts/told.tsx'
import { useFrameWords } from '../words.ts'
import { exportCsv } from './export-csv.ts'
import type { History, Standing } from './history.ts'
import { MessageHistory } from './message-history.tsx'
import type { TraceQuery } from './trace-query.ts'
import type { Trace } from './trace-search.ts'
import { useTraceWords } from './words.ts'

export function Results({ of: trace, query }: { of: Trace; query: TraceQuery }) {
  const { found, problem, busy } = trace
  if (found === null && problem === null) return <Skeleton />
  if (found === null)
    return problem?.status === 400 ? null : <Failure of={{ problem, again: async () => trace.search() }} />
  return (
    <>
      <ProblemNotice problem={busy ? null : problem} />
      <ResultList {...trace} found={found} query={query} />
    </>
  )
}

type ResultListProps = Trace & { readonly found: NonNullable<Trace['found']>; readonly query: TraceQuery }

function ResultList({ found, busy, more, query }: ResultListProps) {
  const frame = useFrameWords()
  const words = useTraceWords()
  const formats = useFormats()
  const { histories, next, broken } = found
  if (histories.length === 0)
    return (
      <Empty title={words.noResults}>
        <p>{words.noResultsHint}</p>
      </Empty>
    )
  return (
    <>
      <div class="result-bar">
        <h2>
          {words.found(
            `${formats.number(histories.length)}${next === null ? '' : '+'}`,
            histories.length === 1,
          )}
        </h2>
        <Export query={query} />
      </div>
      {broken > 0 && <Notice tone="warning">{words.broken(formats.number(broken))}</Notice>}
      <ul class="histories">
        {histories.map((history) => (
          <Result key={history.messageId} history={history} alone={histories.length === 1} />
        ))}
      </ul>
      {next !== null && (
        <div class="list-foot">
          <Button busy={busy} onClick={more}>
            {frame.more}
          </Button>
        </div>
      )}
    </>
  )
}

function Export({ query }: { query: TraceQuery }) {
  const words = useTraceWords()
  const formats = useFormats()
  const act = useAct()
  return (
    <>
      <Button
        icon="import"
        busy={act.busy}
        onClick={() => void act.run(async () => tell(words.exported(formats.number(await exportCsv(query)))))}
      >
        {words.exportCsv}
      </Button>
      <ProblemNotice problem={act.problem} />
    </>
  )
}

const tones: Readonly<Record<Standing, Tone>> = {
  waiting: 'waiting',
  deferred: 'warning',
  sent: 'good',
  partly: 'warning',
  failed: 'bad',
  refused: 'bad',
  dropped: 'off',
  removed: 'off',
  unknown: 'off',
}

/** What is closed is not drawn: there may be hundreds. */
function Result({ history, alone }: { history: History; alone: boolean }) {
  const words = useTraceWords()
  const formats = useFormats()
  const [open, setOpen] = useState(alone)
  const { from, fates, receivedAt, steps, standing, recipientCount } = history
  const [first] = fates
  return (
    <li>
      <details class="history" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span class="history-time">{formats.instant(receivedAt ?? steps[0]!.event.at)}</span>
          <span class="history-who">
            <strong>
              {from === null ? words.unknownSender : from === '' ? words.nullPath : <Address of={from} />}
            </strong>
            {first && (
              <>
                {` ${words.to} `}
                <Address of={first.address} />
              </>
            )}
            {recipientCount > 1 && (
              <span class="hint"> {words.andMore(formats.number(recipientCount - 1))}</span>
            )}
          </span>
          <Badge tone={tones[standing]}>{words.standings[standing]}</Badge>
        </summary>
        {open && <MessageHistory history={history} />}
      </details>
    </li>
  )
}
