/** The senders' dictionary. */
import { useWords } from '../language.ts'
import { de } from './words-de.ts'
import { en, type SenderWords } from './words-en.ts'

export function useSenderWords(): SenderWords {
  return useWords({ en, de })
}
