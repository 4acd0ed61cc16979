import { describe, expect, it } from 'vitest'
import { createLog, withoutRedaction } from '../../src/observe/log.ts'

function logInMemory() {
  const lines: string[] = []
  return { lines, log: createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } }) }
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
    withoutRedaction(log).warn({ event: 'x' })
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', event: 'x' })
  })
})
