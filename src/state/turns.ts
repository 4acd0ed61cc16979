/** Long work on many records, a part in each turn of the event loop. */
import { setImmediate as turn } from 'node:timers/promises'

/** So many records are read before everything else gets its turn: 100,000 at once would stop the mail for a while. */
const recordsATurn = 2000

/** What is made of each, in turns. */
export async function inTurns<From, Made>(
  from: readonly From[],
  make: (each: From) => Made,
): Promise<Made[]> {
  const made: Made[] = []
  for (const each of from) {
    made.push(make(each))
    if (made.length % recordsATurn === 0) await turn()
  }
  return made
}
