/**
 * Explain with what-if: a message that nobody sends, and what would become of it. Each change of it is asked again as
 * soon as somebody stops typing.
 */
import { useState } from 'preact/hooks'
import { Badge } from '../parts/badge.tsx'
import { Notice, useProblemText } from '../parts/notice.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Failure, Skeleton } from '../parts/shown.tsx'
import type { ViewProps } from '../view.ts'
import { useFrameWords } from '../words.ts'
import { Answer } from './answer.tsx'
import './explain.css'
import { emptyQuestion, type QuestionFields, questionOf } from './question.ts'
import { fieldOfProblem, QuestionForm } from './question-form.tsx'
import { type Asking, useExplanation } from './use-explanation.ts'
import { useExplainWords } from './words.ts'

export function ExplainView({ route: { query } }: ViewProps) {
  const frame = useFrameWords()
  const words = useExplainWords()
  const [fields, setFields] = useState<QuestionFields>({
    ...emptyQuestion,
    from: query.get('from') ?? '',
    to: query.get('to') ?? '',
  })
  const asking = useExplanation(questionOf(fields))
  const { answer } = asking
  return (
    <div class="explain">
      <Page
        title={frame.views.explain}
        lead={words.lead}
        beside={
          // The outcome is said; the steps to it would be too much.
          <span role="status">
            {answer && (
              <Badge tone={answer.routed ? 'good' : 'bad'}>
                {answer.routed ? words.routed : words.notRouted}
              </Badge>
            )}
          </span>
        }
      >
        <QuestionForm fields={fields} refused={asking.problem} onChange={setFields} />
        <div aria-busy={asking.busy} class="answers">
          <Answered asking={asking} />
        </div>
      </Page>
    </div>
  )
}

function Answered({ asking }: { asking: Asking }) {
  const words = useExplainWords()
  const text = useProblemText()
  const { answer, problem, asked, busy, again } = asking
  if (!asked)
    return (
      <Empty title={words.nobody}>
        <p>{words.nobodyHint}</p>
      </Empty>
    )
  if (answer === null && problem === null) return busy ? <Skeleton /> : null
  if (answer === null && problem !== null)
    return fieldOfProblem(problem) === null ? <Failure of={{ problem, again }} /> : null
  return (
    <>
      {problem !== null && (
        <Notice tone="warning">{fieldOfProblem(problem) === null ? text(problem) : words.notUpToDate}</Notice>
      )}
      <Answer of={answer!} />
    </>
  )
}
