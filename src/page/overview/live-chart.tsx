/**
 * Lines over time. The numbers beside it say the same as the drawing, which is for the eye alone: they are its legend,
 * what a screen reader reads, and while somebody points into the drawing the values of that second.
 */
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { type Formats, useFormats } from '../language.ts'
import { colourOf, useDark } from '../theme.ts'
import { type ChartRows, chartRows, type LiveSample, type Pick, summaryOf } from './live-series.ts'
import { useOverviewWords } from './words.ts'

export interface ChartLine {
  readonly label: string
  readonly pick: Pick
}

interface LiveChartProps {
  readonly title: string
  readonly lead: string
  readonly lines: readonly ChartLine[]
  readonly samples: readonly LiveSample[]
  /** Of which the drawing has room, from the newest sample back. */
  readonly minutes: number
  /** A value that is missing is not zero: the line goes on to the next one. */
  readonly steady?: boolean
  /** A value with its unit. */
  readonly format: (value: number) => string
}

export function LiveChart({ title, lead, lines, samples, minutes, steady = false, format }: LiveChartProps) {
  const words = useOverviewWords()
  const formats = useFormats()
  const [pointed, setPointed] = useState<number | null>(null)
  const picks = lines.map(({ pick }) => pick)
  const drawn = useMemo(() => chartRows(samples, picks), [samples])
  const shown = pointed === null ? samples : samples.filter(({ at }) => at / 1000 <= pointed)
  const rows = lines.map(({ label, pick }) => ({
    label,
    ...summaryOf(samples, pick),
    now: summaryOf(shown, pick).now,
  }))
  const text = (value: number | null) => (value === null ? words.noValue : format(value))
  const spoken = words.described(title, rows.map(({ label, now }) => `${label} ${text(now)}`).join(', '))
  return (
    <figure class="chart" data-chart={title}>
      <figcaption class="chart-head">
        <h3>{title}</h3>
        <p>{lead}</p>
      </figcaption>
      <Drawing
        label={spoken}
        rows={drawn}
        lineCount={lines.length}
        minutes={minutes}
        steady={steady}
        format={format}
        onPoint={setPointed}
      />
      <table class="chart-values">
        <thead>
          <tr>
            <th scope="col">{words.columns.line}</th>
            <th scope="col">{pointed === null ? words.columns.now : formats.time(pointed * 1000)}</th>
            <th scope="col">{words.columns.mean}</th>
            <th scope="col">{words.columns.most}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ label, now, mean, most }, index) => (
            <tr key={label}>
              <th scope="row">
                <Swatch index={index} />
                {label}
              </th>
              <td>{text(now)}</td>
              <td>{text(mean)}</td>
              <td>{text(most)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  )
}

/** Lines differ by dashes too: nobody has to tell colours apart. */
const dashes: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3]]

function Swatch({ index }: { index: number }) {
  return (
    <svg class={`swatch line-${index + 1}`} viewBox="0 0 28 8" width="28" height="8" aria-hidden="true">
      <path d="M0 4h28" stroke-dasharray={dashes[index]!.join(' ')} />
    </svg>
  )
}

interface DrawnLines {
  readonly minutes: number
  readonly lineCount: number
  readonly steady: boolean
  readonly format: (value: number) => string
  /** The second that is pointed at; null: none. */
  readonly onPoint: (seconds: number | null) => void
}

interface DrawingProps extends DrawnLines {
  readonly label: string
  readonly rows: ChartRows
}

function Drawing({ label, rows, ...lines }: DrawingProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const newest = useRef(rows)
  const formats = useFormats()
  const dark = useDark()
  newest.current = rows
  useEffect(() => {
    const element = place.current!
    const options = { ...optionsFor(lines, formats), ...sizeOf(element) }
    plot.current = new uPlot(options, newest.current, element)
    const resized = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)))
    resized.observe(element)
    return () => {
      resized.disconnect()
      plot.current?.destroy()
      plot.current = null
    }
    // What is on the canvas follows neither the style sheet nor the language: it is drawn anew for each.
  }, [dark, formats, lines.lineCount, lines.minutes])
  useEffect(() => plot.current?.setData(rows), [rows])
  return <div class="chart-drawing" role="img" aria-label={label} ref={place} />
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(200, element.clientWidth), height: Math.max(120, element.clientHeight) }
}

function optionsFor(
  { lineCount, minutes, steady, format, onPoint }: DrawnLines,
  formats: Formats,
): Omit<uPlot.Options, 'width' | 'height'> {
  const [text, grid] = [colourOf('--chart-text'), colourOf('--chart-grid')]
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const time = (seconds: number) => formats.time(seconds * 1000)
  return {
    legend: { show: false },
    cursor: { drag: { setScale: false, x: false, y: false }, y: false },
    padding: [8, 32, 0, 0],
    scales: {
      x: { range: (_, __, newest) => [newest - minutes * 60, newest] },
      y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
    },
    axes: [
      { ...axis, space: 90, values: (_, seconds) => seconds.map(time) },
      {
        ...axis,
        size: 64,
        space: 32,
        incrs: wholeSteps,
        values: (_, values) => values.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...Array.from({ length: lineCount }, (_, index) => ({
        stroke: colourOf(`--chart-${index + 1}`),
        dash: [...dashes[index]!],
        width: 2,
        spanGaps: steady,
        points: steady ? { show: false } : { show: true, size: 5, filter: lonePoints },
      })),
    ],
    hooks: {
      setCursor: [
        (plot) => onPoint(plot.cursor.idx == null ? null : (plot.data[0][plot.cursor.idx] ?? null)),
      ],
    },
  }
}

/** Messages and milliseconds are counted in whole ones. */
const wholeSteps = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()

/** What has no neighbour is no line: it would not be seen. */
function lonePoints(plot: uPlot, line: number): number[] {
  const values = plot.data[line]!
  const found: number[] = []
  for (let at = 0; at < values.length; at++)
    if (values[at] != null && values[at - 1] == null && values[at + 1] == null) found.push(at)
  return found
}
