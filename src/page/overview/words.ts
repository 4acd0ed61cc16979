/** The overview's dictionary. */
import { useWords } from '../language.ts'
import { de } from './words-de.ts'
import { en, type Words } from './words-en.ts'

export function useOverviewWords(): Words {
  return useWords({ en, de })
}
