/**
 * Patterns that an administrator writes, in RE2's syntax: matched in time linear in the text, so that neither a
 * hostile pattern nor a hostile message can hang the relay. No back-references and no look-around: they have no
 * linear form.
 *
 * Linear is not yet bounded: at worst (a pattern that has to remember very much, and a text made for it) each
 * instruction of the compiled pattern costs 20 to 40 ns at each character. So a pattern is limited in size, and the
 * larger it is, the less of a long text it reads: no search costs more than about 200 ms, whatever the two are.
 * What people write costs 8 ns a character.
 */
import { RE2JS, RE2JSSyntaxException } from 're2js'

export interface Pattern {
  readonly source: string
  /** Characters of a text that are read; what comes behind them is not looked at. */
  readonly longestText: number
  /** What matched first, as it stands in the text; null where nothing does. Letter case does not count. */
  find(text: string): string | null
  /** All that match, from left to right. */
  findAll(text: string): Finds
}

export interface Find {
  readonly start: number
  readonly end: number
}

export interface Finds {
  readonly finds: readonly Find[]
  /** False where there are more than can be looked for in bounded time. */
  readonly complete: boolean
}

/** An alternation of a hundred words has 600 instructions; `{1,1000}`, the most that RE2 repeats, 2000. */
const mostInstructions = 2000
/** Instructions times characters. */
const mostSteps = 5_000_000
/** RE2JS keeps 8 MB of states for each pattern if it is let; with 1 MB hostile texts cost less time, too. */
const mostStateBytes = 1024 ** 2
/** Both of `findAll`: a find is looked for in a window, as each one may read all that comes behind it. */
const windowLength = 256
const mostStepsOfAll = 4 * mostSteps

export function compilePattern(source: string): Pattern | { readonly error: string } {
  try {
    const compiled = RE2JS.compile(source, RE2JS.CASE_INSENSITIVE)
    const size = compiled.programSize()
    if (size <= mostInstructions) return new CompiledPattern(compiled)
    return { error: `too large: it compiles to ${size} instructions, ${mostInstructions} are allowed` }
  } catch (error) {
    return { error: described(error) }
  }
}

/** `missing closing ): a(`, without the flag that was put before the pattern. */
function described(error: unknown): string {
  if (error instanceof RE2JSSyntaxException) {
    const part = error.getPattern()?.replace(/^\(\?i\)/, '') ?? ''
    return part === '' ? error.getDescription() : `${error.getDescription()}: ${part}`
  }
  return error instanceof Error ? error.message : String(error)
}

class CompiledPattern implements Pattern {
  readonly source: string
  readonly longestText: number
  readonly #compiled: RE2JS
  #limited = false

  constructor(compiled: RE2JS) {
    this.#compiled = compiled
    this.source = compiled.pattern()
    this.longestText = Math.floor(mostSteps / compiled.programSize())
  }

  /** Whether there is a match costs a fraction of where it is, and most texts have none. */
  find(text: string): string | null {
    const read = this.#read(text)
    if (!this.#test(read)) return null
    const matcher = this.#compiled.matcher(read)
    return matcher.find() ? matcher.group() : null
  }

  /**
   * A find counts where it begins in the first half of its window; it may reach into the other half. Each window
   * begins with the last character of the one before, so that `\b` sees what precedes.
   */
  findAll(text: string): Finds {
    const read = this.#read(text)
    const finds: Find[] = []
    if (!this.#test(read)) return { finds, complete: true }
    let steps = mostStepsOfAll
    for (let at = 0; at < read.length; ) {
      const context = Math.min(at, 1)
      const window = read.slice(at - context, at + windowLength)
      const half = at + windowLength / 2
      let next = half
      const matcher = this.#compiled.matcher(window)
      for (let found = this.#test(window) && matcher.find(context); found; found = matcher.find()) {
        steps -= window.length * this.#compiled.programSize()
        if (steps < 0) return { finds, complete: false }
        const start = at - context + matcher.start()
        const end = at - context + matcher.end()
        if (start >= half) break
        if (end > start) finds.push({ start, end })
        next = Math.max(half, end)
      }
      at = next
    }
    return { finds, complete: true }
  }

  #read(text: string): string {
    return text.length > this.longestText ? text.slice(0, this.longestText) : text
  }

  #test(text: string): boolean {
    if (!this.#limited) {
      this.#limited = true
      const { dfa } = this.#compiled.re2()
      dfa.stateBudget = mostStateBytes
      dfa.memBudget = mostStateBytes
    }
    return this.#compiled.test(text)
  }
}
