import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolSession } from '../../../src/observe/protocol-log/protocol-session.ts'
import type { Direction } from '../../../src/observe/protocol-log/record.ts'
import { dialogueOf, readProtocolLog } from '../../support/protocol-log-reader.ts'
import { TestClock } from '../../support/test-clock.ts'

const fields =
  '#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context'

function session(direction: Direction) {
  const lines: string[] = []
  const told = new ProtocolSession({
    direction,
    connector: 'Test',
    id: '0000000000000001',
    remote: '192.0.2.1:25',
    clock: new TestClock(),
    write: (line) => lines.push(line),
  })
  return {
    told,
    text: () => lines.join(''),
    dialogue: () => dialogueOf(readProtocolLog(`${fields}\r\n${lines.join('')}`).records),
  }
}

describe('the end of a session', () => {
  it('is the first that is told, and nothing comes after it', () => {
    const { told, dialogue } = session('send')
    told.connected('192.0.2.2:1')
    told.closed('Remote')
    told.closed('Local')
    told.note('too late')
    expect(dialogue()).toEqual(['+', '- [Remote]'])
  })

  it('is none where there was no connection', () => {
    const { told, dialogue } = session('send')
    told.note('Cannot connect')
    told.closed('Local')
    expect(dialogue()).toEqual(['* [Cannot connect]'])
  })
})

const canary = 'Canary-pw-42!'
const secrets = [
  canary,
  Buffer.from(canary).toString('base64'),
  Buffer.from(`\0user\0${canary}`).toString('base64'),
]
const secret = fc.constantFrom(...secrets)
const harmless = fc.constantFrom('EHLO a', 'MAIL FROM:<a@example.com>', 'RSET', 'QUIT', '*', '')
const aboutLogin = secret.chain((text) =>
  fc.constantFrom(
    'AUTH LOGIN',
    `AUTH PLAIN ${text}`,
    `auth\tlogin ${text}`,
    `AUTH ${text}`,
    text,
    ` ${text}`,
    `=${text}`,
  ),
)

/** Out of step as only a broken peer can be: what is a secret shows only in what it is. */
const step = fc.oneof(
  fc.record({ command: fc.oneof(harmless, aboutLogin) }),
  fc.record({
    reply: fc.constantFrom('334 VXNlcm5hbWU6', '334', '235 2.7.0 Ok', '535 5.7.8 No', '500 What', '250 Ok'),
  }),
)

it.each(['receive', 'send'] as const)('shows no password (%s), however a login goes wrong', (direction) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const { told, text } = session(direction)
      for (const each of steps) {
        if ('command' in each) told.command(each.command)
        else told.reply(each.reply)
      }
      for (const each of secrets) expect(text()).not.toContain(each)
    }),
    { numRuns: 500 },
  )
})
