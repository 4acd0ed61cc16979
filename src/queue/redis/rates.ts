/** What is counted against rate limits, read back for operators; counting itself is one script. */
import type { Counted } from '../queue.ts'
import { countedNow, fullestFirst, fullness, type Tally } from '../rate.ts'
import type { RedisStore } from './store.ts'

/** Where all rates are counted, whatever the mail's own partition. */
export const ratePartition = 0

/** How many counts one call looks at, and one listing. */
const atATime = 500
const mostListed = 10_000

export async function countedRates(
  store: RedisStore,
  prefix: string,
  options: { now: number; limit: number },
): Promise<readonly Counted[]> {
  let found: readonly Counted[] = []
  for (let from = 0; from < mostListed; from += atATime) {
    const args = () => [prefix, from, from + atATime - 1]
    const answer = await store.bytesStep('readRates', ratePartition, args)
    const [listed, fullnessOfLast, ...counts] = answer as [Buffer, Buffer, ...Buffer[][]]
    const here = counts.flatMap((fields) => readCount(fields.map(String), options.now))
    found = fullestFirst([...found, ...here]).slice(0, options.limit)
    const leastFull = found[options.limit - 1]
    // What follows was no fuller than this when it was last counted, and nothing becomes fuller since.
    if (leastFull !== undefined && fullness(leastFull) >= Number(fullnessOfLast)) break
    if (Number(listed) < atATime) break
  }
  return found
}

/** Name, then the fields of the hash and their values in turn. */
function readCount([name = '', ...fields]: readonly string[], now: number): readonly Counted[] {
  const [, countedAs = '', key = ''] = /^([^:]+:\d+):(.*)$/s.exec(name) ?? []
  let most = 0
  const tallies: Tally[] = []
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at] === 'most') most = Number(fields[at + 1])
    else tallies.push([Number(fields[at]), Number(fields[at + 1])])
  }
  return countedNow({ [countedAs]: { most, tallies } }, { key, now })
}
