/**
 * What a reading shows: nothing for the first 200 ms, then a skeleton; the answer; or why there is none, with a way to
 * try again. A reading that fails later leaves the last answer on the screen and says that it is old.
 */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useFormats } from '../language.ts'
import type { Polled } from '../polling.ts'
import { useFrameWords } from '../words.ts'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'
import { useProblemText } from './notice.tsx'

interface ShownProps<Answer> {
  readonly of: Polled<Answer>
  children(answer: Answer): ComponentChildren
}

export function Shown<Answer>({ of, children }: ShownProps<Answer>) {
  const { answer, problem, at, again } = of
  // Nobody is logged in: the login says so.
  if (answer === null && (problem === null || problem.status === 401)) return <Skeleton />
  if (answer === null) return <Failure of={of} />
  return (
    <>
      {problem !== null && problem.status !== 401 && <Stale at={at!} again={again} />}
      {children(answer)}
    </>
  )
}

export function Failure({ of: { problem, again } }: { of: Pick<Polled<unknown>, 'problem' | 'again'> }) {
  const words = useFrameWords()
  const text = useProblemText()
  return (
    <div class="empty" role="alert">
      <Icon name="warning" />
      <p class="empty-title">{words.failed}</p>
      {problem && <p>{text(problem)}</p>}
      <Button icon="refresh" onClick={() => void again()}>
        {words.retry}
      </Button>
    </div>
  )
}

/** There is nothing to show, and what one might do about it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  )
}

export function Skeleton() {
  const words = useFrameWords()
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = window.setTimeout(() => setLate(true), 200)
    return () => window.clearTimeout(timer)
  }, [])
  if (!late) return <div class="skeleton-room" />
  return (
    <div class="skeleton" role="status">
      <span class="unseen">{words.loading}</span>
      {[0, 1, 2, 3].map((line) => (
        <div key={line} class="skeleton-line" />
      ))}
    </div>
  )
}

function Stale({ at, again }: { at: number; again(): Promise<void> }) {
  const words = useFrameWords()
  const formats = useFormats()
  return (
    <div class="notice warning">
      <Icon name="warning" />
      <div class="notice-text">{words.stale(formats.time(at))}</div>
      <Button kind="quiet" icon="refresh" onClick={() => void again()}>
        {words.retry}
      </Button>
    </div>
  )
}
