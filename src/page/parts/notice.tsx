/** A box in the text of a view or dialog: what went wrong, or what should be known. */
import type { ComponentChildren } from 'preact'
import type { Problem } from '../client.ts'
import { useFrameWords } from '../words.ts'
import type { Tone } from './badge.tsx'
import { Icon } from './icon.tsx'

export function Notice({
  tone,
  children,
}: {
  tone: Extract<Tone, 'bad' | 'warning' | 'info' | 'good'>
  children: ComponentChildren
}) {
  return (
    <div class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name={tone} />
      <div class="notice-text">{children}</div>
    </div>
  )
}

/** Nothing where there is no problem, or where a field shows it (`shownAt`). */
export function ProblemNotice({ problem, shownAt = false }: { problem: Problem | null; shownAt?: boolean }) {
  const text = useProblemText()
  if (problem === null || shownAt) return null
  return <Notice tone="bad">{text(problem)}</Notice>
}

/** What a problem says to people. The API's own words are English. */
export function useProblemText(): (problem: Problem) => string {
  const words = useFrameWords()
  return (problem) => {
    if (problem.status === 0) return words.noAnswerShort
    if (problem.status === 409 && problem.field === 'version') return words.conflict
    return problem.message
  }
}
