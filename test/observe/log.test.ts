import { describe, expect, it } from 'vitest'
import { createLog, lineWriter } from '../../src/observe/log.ts'

function logInMemory(level = 'info') {
  const lines: string[] = []
  return { lines, log: createLog({ level, destination: { write: (line) => void lines.push(line) } }) }
}

describe('the program log', () => {
  it('removes fields named like secrets', () => {
    const { lines, log } = logInMemory()
    log.info({ password: 'canary', connector: { auth: 'canary', name: 'a' } }, 'Connecting')
    expect(lines[0]).toContain('"name":"a"')
    expect(lines[0]).not.toContain('canary')
  })

  it('names its level in words', () => {
    const { lines, log } = logInMemory()
    log.warn('Something')
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', msg: 'Something' })
  })
})

describe('a line writer', () => {
  it('writes what the program log writes', () => {
    const { lines, log } = logInMemory()
    const line = {
      event: 'x',
      text: 'a "quoted" \u0007 \\ text',
      none: null,
      left: undefined,
      list: [{ n: 1.5 }],
    }
    log.warn(line)
    lineWriter(log)('warn', line)
    const [expected, written] = lines.map((text) => text.replace(/"time":"[^"]{24}"/, '"time":""'))
    expect(written).toBe(expected)
  })

  it('keeps to the level of the log', () => {
    const { lines, log } = logInMemory('warn')
    lineWriter(log)('info', { event: 'x' })
    lineWriter(log)('warn', { event: 'y' })
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['y'])
  })
})
