/** The dictionary of this view. */
import { useWords } from '../language.ts'
import { de } from './words-de.ts'
import { en, type Words } from './words-en.ts'

export function useSandboxWords(): Words {
  return useWords({ en, de })
}
