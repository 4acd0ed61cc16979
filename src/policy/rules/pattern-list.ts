/** The patterns of one condition. */
import { shown } from './condition.ts'
import { compilePattern, type Pattern } from './pattern.ts'

/** Throws where one cannot be compiled: the configuration's schema has refused it before. */
export function compiledPatterns(sources: readonly string[]): Pattern[] {
  return sources.map((source) => {
    const pattern = compilePattern(source)
    if ('error' in pattern) throw new Error(`Cannot use the pattern ${source}: ${pattern.error}`)
    return pattern
  })
}

/** What the first pattern finds that finds something, as it is told. */
export function firstFind(patterns: readonly Pattern[], text: string): string | null {
  for (const pattern of patterns) {
    const found = pattern.find(text)
    if (found !== null) return shown(found)
  }
  return null
}
