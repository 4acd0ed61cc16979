/** The settings' dictionary. */
import { useWords } from '../language.ts'
import { de } from './words-de.ts'
import { en, type SettingsWords } from './words-en.ts'

export function useSettingsWords(): SettingsWords {
  return useWords({ en, de })
}
