/** The live charts: what passes each second, how long it takes, and what waits. */
import { useState } from 'preact/hooks'
import { type Formats, useFormats } from '../language.ts'
import { useProblemText } from '../parts/notice.tsx'
import { Empty, Skeleton } from '../parts/shown.tsx'
import { LiveChart } from './live-chart.tsx'
import { useLive } from './live-feed.ts'
import { type LiveSample, queueLength, type RangeMinutes, ranges, within } from './live-series.ts'
import { useOverviewWords } from './words.ts'

export function Charts() {
  const words = useOverviewWords()
  const problemText = useProblemText()
  const { samples, problem, known } = useLive()
  const [minutes, setMinutes] = useState<RangeMinutes>(5)
  return (
    <section class="section">
      <div class="chart-bar">
        <h2>{words.live}</h2>
        <RangeChoice minutes={minutes} onChoose={setMinutes} />
      </div>
      <p class="lead">{problem !== null && known ? problemText(problem) : words.liveLead}</p>
      {known && <ChartsOf samples={within(samples, minutes)} minutes={minutes} />}
      {!known && (problem === null ? <Skeleton /> : <Empty title={problemText(problem)} />)}
    </section>
  )
}

function ChartsOf({ samples, minutes }: { samples: readonly LiveSample[]; minutes: RangeMinutes }) {
  const words = useOverviewWords()
  const formats = useFormats()
  if (samples.length === 0) return <Empty title={words.noSamples} />
  const { charts, chartLeads, lines } = words
  return (
    <div class="charts">
      <LiveChart
        title={charts.rates}
        lead={chartLeads.rates}
        samples={samples}
        minutes={minutes}
        format={(value) => formats.short(value)}
        lines={[
          { label: lines.accepted, pick: ({ accepted }) => accepted },
          { label: lines.relayed, pick: ({ relayed }) => relayed },
          { label: lines.deferred, pick: ({ deferred }) => deferred },
          { label: lines.failed, pick: ({ failed }) => failed },
        ]}
      />
      <LiveChart
        title={charts.latency}
        lead={chartLeads.latency}
        samples={samples}
        minutes={minutes}
        format={(value) => latencyText(formats, value)}
        lines={[
          { label: lines.p50, pick: ({ latencyMs }) => latencyMs?.p50 ?? null },
          { label: lines.p95, pick: ({ latencyMs }) => latencyMs?.p95 ?? null },
          { label: lines.p99, pick: ({ latencyMs }) => latencyMs?.p99 ?? null },
        ]}
      />
      <LiveChart
        title={charts.queue}
        lead={chartLeads.queue}
        samples={samples}
        minutes={minutes}
        steady
        format={(value) => formats.short(value)}
        lines={[
          { label: lines.all, pick: queueLength },
          { label: lines.waitingRetry, pick: ({ queue }) => queue?.deferred ?? null },
          { label: lines.suspended, pick: ({ queue }) => queue?.suspended ?? null },
        ]}
      />
    </div>
  )
}

/** Below a second whole milliseconds are enough, but a fast smart host takes less than one. */
function latencyText(formats: Formats, ms: number): string {
  return ms > 0 && ms < 10 ? `${formats.short(ms)} ms` : formats.duration(ms)
}

function RangeChoice(props: { minutes: RangeMinutes; onChoose: (minutes: RangeMinutes) => void }) {
  const words = useOverviewWords()
  return (
    <fieldset class="segments">
      <legend class="unseen">{words.range}</legend>
      {ranges.map((range) => (
        <label key={range}>
          <input
            type="radio"
            name="range"
            class="unseen"
            checked={range === props.minutes}
            onChange={() => props.onChoose(range)}
          />
          <span>{words.minutes(range)}</span>
        </label>
      ))}
    </fieldset>
  )
}
