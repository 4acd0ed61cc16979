/** Asks what would become of a message whenever the question has changed and nobody types any more. */
import { useEffect, useState } from 'preact/hooks'
import type { Explanation } from '../../admin/explain/explanation.ts'
import { Problem, pathOf, write } from '../client.ts'
import type { Question } from './question.ts'

export interface Asking {
  /** To the last question that had one. */
  readonly answer: Explanation | null
  /** What is wrong with the question now; null where nothing is. */
  readonly problem: Problem | null
  readonly busy: boolean
  /** Whether there is a question. */
  readonly asked: boolean
  again(): Promise<void>
}

const stillTypingMs = 300

export function useExplanation(question: Question | null): Asking {
  const [state, setState] = useState<Pick<Asking, 'answer' | 'problem' | 'busy'>>(nothing)
  const [turn, setTurn] = useState(0)
  const text = question === null ? null : JSON.stringify(question)
  useEffect(() => {
    if (text === null) return setState(nothing)
    let current = true
    setState((before) => ({ ...before, busy: true }))
    const timer = window.setTimeout(async () => {
      const next = await ask(JSON.parse(text))
      if (current) setState(({ answer }) => ({ answer, problem: null, ...next, busy: false }))
    }, stillTypingMs)
    return () => {
      current = false
      window.clearTimeout(timer)
    }
  }, [text, turn])
  return { ...state, asked: question !== null, again: async () => setTurn(turn + 1) }
}

const nothing = { answer: null, problem: null, busy: false }

async function ask(question: unknown): Promise<{ answer: Explanation } | { problem: Problem }> {
  try {
    return { answer: await write<Explanation>('POST', pathOf(['explain']), question) }
  } catch (error) {
    if (error instanceof Problem) return { problem: error }
    throw error
  }
}
