/** A JSON answer of an outside checker, held to a schema: what does not fit is no answer. */
import type { z } from 'zod'
import { oneLine } from './outside-reply.ts'

/** Throws with what is wrong and where, all in one line. */
export function parseJsonAnswer<Schema extends z.ZodType>(body: string, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(parseJson(body))
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`,
  )
  throw new Error(`answered what cannot be understood: ${oneLine(issues.slice(0, 5).join('; '))}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error('answered what is no JSON', { cause: error })
  }
}
