/** The send connectors' dictionary. */
import { useWords } from '../language.ts'
import { de } from './words-de.ts'
import { type ConnectorWords, en } from './words-en.ts'

export function useConnectorWords(): ConnectorWords {
  return useWords({ en, de })
}
