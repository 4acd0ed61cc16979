import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { BriefMap } from '../src/brief-map.ts'

/** What both kinds of map have. */
interface Entries {
  set(key: string, value: object): unknown
  delete(key: string): unknown
}

setFlagsFromString('--expose-gc')
const collect: (options: { type: 'minor' | 'major' }) => void = runInNewContext('gc')

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size
}

/** How much grows old while 10,000 objects come and go, fifty at a time, in a map that is old itself. */
function grownOld(map: Entries): number {
  collect({ type: 'major' })
  const before = oldBytes()
  for (let n = 0; n < 10_000; n++) {
    map.set(`key ${n}`, { n, payload: new Array(50).fill(n) })
    map.delete(`key ${n - 50}`)
    if (n % 500 === 0) collect({ type: 'minor' })
  }
  return oldBytes() - before
}

describe('a map of what stays for a moment', () => {
  it('does what a Map does, whatever comes and goes', () => {
    const brief = new BriefMap<number, string>()
    const map = new Map<number, string>()
    let seed = 1
    for (let n = 0; n < 20_000; n++) {
      seed = (seed * 48_271) % 2_147_483_647
      const key = seed % 200
      if (seed % 3 === 0) {
        brief.set(key, `${n}`)
        map.set(key, `${n}`)
      } else {
        brief.delete(key)
        map.delete(key)
      }
      expect(brief.get(key)).toBe(map.get(key))
      expect(brief.has(key)).toBe(map.has(key))
      if (n % 100 === 0) expect(brief.values()).toEqual([...map.values()])
      expect(brief.first).toBe(map.values().next().value)
    }
  })

  it('lets what is gone be collected young, as a Map does not', () => {
    const inMap = grownOld(new Map())
    const inBriefMap = grownOld(new BriefMap<string, object>())
    expect(inMap).toBeGreaterThan(1_000_000)
    expect(inBriefMap).toBeLessThan(inMap / 3)
  })

  it('gives its values as they were when it was asked', () => {
    const brief = new BriefMap<number, number>()
    for (let n = 0; n < 200; n++) brief.set(n, n)
    const values = brief.values()
    for (let n = 0; n < 200; n++) brief.delete(n)
    expect(values).toHaveLength(200)
    expect(brief.values()).toEqual([])
  })
})
