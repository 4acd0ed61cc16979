/** The rules' dictionary. */
import { useWords } from '../language.ts'
import { de } from './words-de.ts'
import { en, type RuleWords } from './words-en.ts'

export function useRuleWords(): RuleWords {
  return useWords({ en, de })
}
