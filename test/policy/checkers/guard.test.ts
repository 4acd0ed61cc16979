import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { Log } from '../../../src/observe/log.ts'
import {
  type CheckedMessage,
  type Checker,
  type CheckerVerdict,
  NotChecked,
  unchanged,
} from '../../../src/policy/checkers/checker.ts'
import { type GuardOptions, guarded } from '../../../src/policy/checkers/guard.ts'
import { QueueFull } from '../../../src/queue/queue.ts'
import { checkedMessage, recipientOf, transactionOf } from '../../support/checked-message.ts'
import { Gate } from '../../support/gate.ts'
import { TestClock } from '../../support/test-clock.ts'

type Answer = (message: CheckedMessage, signal: AbortSignal) => Promise<CheckerVerdict>

class ScriptedChecker implements Checker {
  readonly name = 'scanner'
  asked = 0
  readonly signals: AbortSignal[] = []
  answer: Answer = async (message) => unchanged(message)

  check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    this.asked++
    this.signals.push(signal)
    return this.answer(message, signal)
  }

  async close(): Promise<void> {}
}

const lines: { level: string; message: string; checker: string }[] = []
afterEach(() => lines.splice(0))
const logger = (level: string) => (fields: { checker: string }, message: string) => {
  lines.push({ level, message, checker: fields.checker })
}
const log = { info: logger('info'), warn: logger('warn'), error: logger('error') } as unknown as Log

function guard(checker: Checker, options: Partial<GuardOptions> = {}) {
  return guarded(checker, { timeoutMs: 5000, concurrency: 20, away: 'defer', log, ...options })
}

const down: Answer = async () => {
  throw new Error('connect ECONNREFUSED 127.0.0.1:3310')
}
const hangs: Answer = (_message, signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')))
  })

describe('a guarded checker', () => {
  it("gives the checker's own verdict", async () => {
    const checker = new ScriptedChecker()
    const message = checkedMessage()
    const checked = await guard(checker, { clock: new TestClock() }).check(message)
    expect(checked).toEqual({ verdict: unchanged(message), away: null, durationMs: 0 })
  })

  it.each<[GuardOptions['away'], object]>([
    ['accept', { kind: 'pass', hold: null }],
    [
      'defer',
      {
        kind: 'refuse',
        reply: {
          code: 451,
          enhanced: '4.7.0',
          text: 'A content check is not available, please try again later',
        },
      },
    ],
    [
      'reject',
      {
        kind: 'refuse',
        reply: { code: 554, enhanced: '5.7.0', text: 'A content check is not available, message refused' },
      },
    ],
    ['hold', { kind: 'pass', hold: 'scanner did not answer: connect ECONNREFUSED 127.0.0.1:3310' }],
  ])('that is away answers as configured: %s', async (away, verdict) => {
    const checker = new ScriptedChecker()
    checker.answer = down
    const message = checkedMessage()
    const checked = await guard(checker, { away }).check(message)
    expect(checked.verdict).toMatchObject(verdict)
    expect(checked.away).toBe('connect ECONNREFUSED 127.0.0.1:3310')
    if (checked.verdict.kind === 'pass') expect(checked.verdict.draft).toBe(message.draft)
  })

  it('is away when its time is up, and is told to stop', async () => {
    const checker = new ScriptedChecker()
    checker.answer = hangs
    const { away } = await guard(checker, { timeoutMs: 20 }).check(checkedMessage())
    expect(away).toBe('no answer within 20ms')
    expect(checker.signals[0]!.aborted).toBe(true)
  })

  it('does not wait for a checker that does not heed its signal', async () => {
    const checker = new ScriptedChecker()
    checker.answer = () => new Promise(() => undefined)
    const guardian = guard(checker, { timeoutMs: 20, concurrency: 1 })
    expect(await guardian.check(checkedMessage())).toMatchObject({ away: 'no answer within 20ms' })
    expect(guardian.status).toEqual({ state: 'failing', asking: 0, waiting: 0 })
  })

  it('names all addresses of a host that failed', async () => {
    const checker = new ScriptedChecker()
    checker.answer = async () => {
      throw new AggregateError([
        new Error('connect ECONNREFUSED ::1:1'),
        new Error('connect ECONNREFUSED 127.0.0.1:1'),
      ])
    }
    const { away } = await guard(checker).check(checkedMessage())
    expect(away).toBe('connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1')
  })

  it('keeps what the checker says of its failure on one line', async () => {
    const checker = new ScriptedChecker()
    checker.answer = async () => {
      throw new Error('first\r\nsecond')
    }
    expect((await guard(checker).check(checkedMessage())).away).toBe('first??second')
  })

  it('passes faults of our own queue through, and does not blame the checker', async () => {
    const checker = new ScriptedChecker()
    checker.answer = async () => {
      throw new QueueFull('no space')
    }
    const guardian = guard(checker, { away: 'reject' })
    for (let n = 0; n < 6; n++) await expect(guardian.check(checkedMessage())).rejects.toThrow(QueueFull)
    expect(guardian.status).toEqual({ state: 'up', asking: 0, waiting: 0 })
    expect(lines).toEqual([])
  })
})

describe('the concurrency of a guarded checker', () => {
  it('is kept, and others have their turn in the order they came', async () => {
    const checker = new ScriptedChecker()
    const gates = [new Gate(), new Gate(), new Gate()]
    const begun: string[] = []
    checker.answer = async (message) => {
      begun.push(message.messageId)
      await gates[begun.length - 1]!.opened
      return unchanged(message)
    }
    const guardian = guard(checker, { concurrency: 1 })
    const messages = [checkedMessage(), checkedMessage(), checkedMessage()]
    const checks = messages.map((message) => guardian.check(message))
    expect(guardian.status).toEqual({ state: 'up', asking: 1, waiting: 2 })
    for (const [index, gate] of gates.entries()) {
      gate.open()
      expect(await checks[index]).toMatchObject({ away: null })
    }
    expect(begun).toEqual(messages.map(({ messageId }) => messageId))
    expect(guardian.status).toEqual({ state: 'up', asking: 0, waiting: 0 })
  })

  it('makes a message wait no longer than its time-out', async () => {
    const checker = new ScriptedChecker()
    checker.answer = () => new Promise(() => undefined)
    const guardian = guard(checker, { concurrency: 1, timeoutMs: 30 })
    const checks = [1, 2, 3].map(() => guardian.check(checkedMessage()))
    for (const { away } of await Promise.all(checks)) expect(away).toBe('no answer within 30ms')
    expect(guardian.status).toMatchObject({ asking: 0, waiting: 0 })
  })

  it('leaves no listener on the signal of a message that had its turn', async () => {
    const checker = new ScriptedChecker()
    const gate = new Gate()
    checker.answer = async (message) => {
      await gate.opened
      return unchanged(message)
    }
    const guardian = guard(checker, { concurrency: 1 })
    const checks = [guardian.check(checkedMessage()), guardian.check(checkedMessage())]
    gate.open()
    await Promise.all(checks)
    // The guard's own: it ends with the signal, which nobody holds any more.
    for (const signal of checker.signals) expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  })
})

describe('a checker that keeps failing', () => {
  async function broken() {
    const checker = new ScriptedChecker()
    checker.answer = down
    const clock = new TestClock()
    const guardian = guard(checker, { clock })
    for (let n = 0; n < 5; n++) await guardian.check(checkedMessage())
    return { checker, clock, guardian }
  }

  it('is left alone for a while', async () => {
    const { checker, clock, guardian } = await broken()
    clock.advance(9_999)
    const checked = await guardian.check(checkedMessage())
    expect(checked.away).toBe(
      'it is not asked for a while, as it failed: connect ECONNREFUSED 127.0.0.1:3310',
    )
    expect(checker.asked).toBe(5)
    expect(guardian.status.state).toBe('paused')
  })

  it('is probed by one message at a time, and asked by all once it answers', async () => {
    const { checker, clock, guardian } = await broken()
    clock.advance(10_000)
    const gate = new Gate()
    checker.answer = async (message) => {
      await gate.opened
      return unchanged(message)
    }
    const probe = guardian.check(checkedMessage())
    expect((await guardian.check(checkedMessage())).away).toMatch(/^it is not asked for a while/)
    gate.open()
    expect((await probe).away).toBeNull()
    expect((await guardian.check(checkedMessage())).away).toBeNull()
    expect(guardian.status.state).toBe('up')
  })

  it('is left alone again after a probe that fails', async () => {
    const { checker, clock, guardian } = await broken()
    clock.advance(10_000)
    await guardian.check(checkedMessage())
    expect(checker.asked).toBe(6)
    clock.advance(19_999)
    await guardian.check(checkedMessage())
    expect(checker.asked).toBe(6)
    clock.advance(1)
    await guardian.check(checkedMessage())
    expect(checker.asked).toBe(7)
  })

  it('is in the log once for each change of state', async () => {
    const { checker, clock, guardian } = await broken()
    clock.advance(10_000)
    await guardian.check(checkedMessage())
    checker.answer = async (message) => unchanged(message)
    clock.advance(20_000)
    await guardian.check(checkedMessage())
    expect(lines).toEqual([
      { level: 'warn', message: 'an outside checker did not answer', checker: 'scanner' },
      {
        level: 'error',
        message: 'an outside checker keeps failing and is not asked for a while',
        checker: 'scanner',
      },
      { level: 'info', message: 'an outside checker answers again', checker: 'scanner' },
    ])
  })

  it('is not taken to be down by messages that it cannot check', async () => {
    const checker = new ScriptedChecker()
    checker.answer = async () => {
      throw new NotChecked('the message is too large for it')
    }
    const guardian = guard(checker, { away: 'hold' })
    for (let n = 0; n < 6; n++)
      expect(await guardian.check(checkedMessage())).toMatchObject({
        away: 'the message is too large for it',
        verdict: { hold: 'scanner did not answer: the message is too large for it' },
      })
    expect(guardian.status.state).toBe('up')
  })
})

describe('a guarded checker of recipients', () => {
  const refusal = { code: 550, enhanced: '5.7.1', text: 'No' }

  class RecipientChecker extends ScriptedChecker {
    reply: () => Promise<typeof refusal | null> = async () => null

    recipient() {
      return this.reply()
    }
  }

  it('says whether it wants to be asked about recipients', () => {
    expect(guard(new ScriptedChecker()).asksRecipients).toBe(false)
    expect(guard(new RecipientChecker()).asksRecipients).toBe(true)
  })

  it.each([['accepts', null] as const, ['refuses', refusal] as const])(
    '%s as the checker does',
    async (_what, reply) => {
      const checker = new RecipientChecker()
      checker.reply = async () => reply
      const question = { transaction: transactionOf(), recipient: recipientOf('b@example.org') }
      expect(await guard(checker).recipient(question)).toEqual(reply)
    },
  )

  it.each<[GuardOptions['away'], number | null]>([
    ['accept', null],
    ['defer', 451],
    ['reject', 554],
    ['hold', null],
  ])('that is away at RCPT answers as configured: %s', async (away, code) => {
    const checker = new RecipientChecker()
    checker.reply = async () => {
      throw new Error('gone')
    }
    const question = { transaction: transactionOf(), recipient: recipientOf('b@example.org') }
    const reply = await guard(checker, { away }).recipient(question)
    expect(reply?.code ?? null).toBe(code)
  })

  it('holds the message of which it could not be asked about a recipient', async () => {
    const checker = new RecipientChecker()
    checker.reply = async () => {
      throw new Error('gone')
    }
    const guardian = guard(checker, { away: 'hold' })
    const message = checkedMessage()
    await guardian.recipient({ transaction: message.submitted, recipient: recipientOf('b@example.org') })
    expect(await guardian.check(message)).toMatchObject({
      away: null,
      verdict: { kind: 'pass', hold: 'scanner did not answer: gone' },
    })
    expect(await guardian.check(checkedMessage())).toMatchObject({ verdict: { kind: 'pass', hold: null } })
  })
})
