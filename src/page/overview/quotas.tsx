/** What is used of the limits of policy, the fullest first. */
import { useState } from 'preact/hooks'
import type { LimitView } from '../../admin/queue/limit-view.ts'
import { pathOf } from '../client.ts'
import { type Formats, useFormats } from '../language.ts'
import { Button } from '../parts/button.tsx'
import { Section } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { usePolled } from '../polling.ts'
import { useOverviewWords } from './words.ts'

export function Quotas() {
  const words = useOverviewWords()
  const limits = usePolled<{ limits: LimitView[] }>(pathOf(['limits']), { everyMs: 5000 })
  return (
    <Section title={words.quotas}>
      <Shown of={limits}>
        {({ limits }) => (limits.length === 0 ? <NoQuotas /> : <QuotaList limits={fullestFirst(limits)} />)}
      </Shown>
    </Section>
  )
}

function NoQuotas() {
  const words = useOverviewWords()
  return (
    <Empty title={words.noQuotas}>
      <p>{words.noQuotasHint}</p>
    </Empty>
  )
}

/** The fullest are what matters; there may be a thousand. */
const mostShown = 12

function QuotaList({ limits }: { limits: readonly LimitView[] }) {
  const words = useOverviewWords()
  const formats = useFormats()
  const [all, setAll] = useState(false)
  const shown = all ? limits : limits.slice(0, mostShown)
  return (
    <>
      <p class="lead">{words.quotasLead}</p>
      <ul class="quotas">
        {shown.map((limit) => (
          <Quota key={`${limit.limit} ${limit.of} ${limit.counts}`} {...limit} />
        ))}
      </ul>
      {shown.length < limits.length && (
        <div>
          <Button onClick={() => setAll(true)}>{words.allQuotas(formats.number(limits.length))}</Button>
        </div>
      )}
    </>
  )
}

function Quota({ limit, of, counts, used, most, left }: LimitView) {
  const words = useOverviewWords()
  const formats = useFormats()
  const amount = (value: number) => amountText(formats, counts, value)
  return (
    <li class={isFull({ used, most }) ? 'quota full' : 'quota'}>
      <p class="quota-line">
        <span class="quota-name">
          <strong>{limit}</strong> {of}
        </span>
        <span class="quota-counts">{words.counts[counts] ?? counts}</span>
      </p>
      {most !== null && (
        <meter
          aria-label={`${limit} ${of}`}
          min={0}
          max={most}
          // Above three quarters it turns to a warning, at the end to an alarm.
          low={most * 0.75}
          high={most * 0.999}
          optimum={0}
          value={Math.min(used, most)}
        />
      )}
      <p class="quota-line">
        <span>{most === null ? amount(used) : words.used(amount(used), amount(most))}</span>
        <span class="quota-left">
          {left === null ? words.noMost : left === 0 ? words.full : words.left(amount(left))}
        </span>
      </p>
    </li>
  )
}

function amountText(formats: Formats, counts: string, value: number): string {
  return counts.startsWith('bytes') ? formats.bytes(value) : formats.number(value)
}

const isFull = ({ used, most }: Pick<LimitView, 'used' | 'most'>): boolean => most !== null && used >= most

/** What is no longer a limit comes last. */
function fullestFirst(limits: readonly LimitView[]): LimitView[] {
  const fullness = ({ used, most }: LimitView) => (most === null ? -1 : most === 0 ? 1 : used / most)
  return [...limits].sort((a, b) => fullness(b) - fullness(a))
}
