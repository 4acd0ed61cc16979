import { getEventListeners, once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Delegation } from '../../../src/policy/checkers/delegation.ts'
import { guarded } from '../../../src/policy/checkers/guard.ts'
import { formatReply } from '../../../src/reply.ts'
import { checkedMessage, recipientOf, textOf } from '../../support/checked-message.ts'
import { SocketServer } from '../../support/socket-server.ts'

const servers: SocketServer[] = []
const delegations: Delegation[] = []
afterEach(async () => {
  for (const delegation of delegations.splice(0)) await delegation.close()
  for (const server of servers.splice(0)) await server.close()
})

const { signal } = new AbortController()

interface Question {
  readonly state: string
  readonly recipient: string
  readonly instance: string
  readonly socket: Socket
}

/** Answers each request as `answer` says: an action, or what it does itself to the connection. */
async function delegationTo(
  answer: (question: Question, number: number) => string | null,
  where?: { host: string } | 'unix',
) {
  const questions: Question[] = []
  const server = await SocketServer.start((socket) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const attribute = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''
        const question = {
          state: attribute('protocol_state'),
          recipient: attribute('recipient'),
          instance: attribute('instance'),
          socket,
        }
        text = text.slice(end + 2)
        const action = answer(question, questions.push(question) - 1)
        if (action !== null) socket.write(`action=${action}\n\n`)
      }
    })
  }, where)
  servers.push(server)
  const delegation = new Delegation({ name: 'policyd', address: server.address })
  delegations.push(delegation)
  return { delegation, questions, server }
}

/** Asks about each recipient of a message, then about the message. */
async function submit(delegation: Delegation, message = checkedMessage()) {
  const replies: (string | null)[] = []
  for (const recipient of message.transaction.recipients) {
    const reply = await delegation.recipient({ transaction: message.submitted, recipient }, signal)
    replies.push(reply && formatReply(reply))
  }
  return { replies, verdict: await delegation.check(message, signal) }
}

describe('a policy server', () => {
  it.each([
    ['over IPv4', { host: '127.0.0.1' }],
    ['over IPv6', { host: '::1' }],
    ['over a UNIX socket', 'unix'],
  ] as const)('is asked %s about each recipient and the message, on one connection', async (_how, where) => {
    const { delegation, questions, server } = await delegationTo(() => 'DUNNO', where)
    const message = checkedMessage({ to: ['a@example.org', 'b@example.org'] })
    const { replies, verdict } = await submit(delegation, message)
    expect(replies).toEqual([null, null])
    expect(verdict).toMatchObject({ kind: 'pass', draft: message.draft, added: [], removed: [], hold: null })
    expect(questions.map(({ state, recipient }) => [state, recipient])).toEqual([
      ['RCPT', 'a@example.org'],
      ['RCPT', 'b@example.org'],
      ['END-OF-MESSAGE', ''],
    ])
    expect(new Set(questions.map(({ instance }) => instance)).size).toBe(1)
    expect(server.sockets).toHaveLength(1)
  })

  it('sees another instance in the next transaction', async () => {
    const { delegation, questions } = await delegationTo(() => 'DUNNO')
    await delegation.check(checkedMessage(), signal)
    await delegation.check(checkedMessage(), signal)
    expect(questions[0]!.instance).not.toBe(questions[1]!.instance)
  })

  it('refuses one recipient', async () => {
    const { delegation } = await delegationTo(({ recipient }) =>
      recipient === 'a@example.org' ? '550 5.1.1 Unknown' : 'DUNNO',
    )
    const { replies } = await submit(delegation, checkedMessage({ to: ['a@example.org', 'b@example.org'] }))
    expect(replies).toEqual(['550 5.1.1 Unknown', null])
  })

  it('refuses the message', async () => {
    const { delegation } = await delegationTo(({ state }) =>
      state === 'RCPT' ? 'INFO seen' : 'REJECT Over quota',
    )
    expect((await submit(delegation)).verdict).toEqual({
      kind: 'refuse',
      reply: { code: 554, enhanced: '5.7.1', text: 'Over quota' },
      note: 'seen',
    })
  })

  it.each<[string, string, string, object]>([
    ['drops it', 'DISCARD spam', 'DUNNO', { kind: 'drop', note: 'spam' }],
    ['holds it', 'HOLD look at it', 'DUNNO', { kind: 'pass', hold: 'look at it' }],
    ['holds it for two reasons', 'HOLD one', 'HOLD two', { kind: 'pass', hold: 'one; two' }],
    [
      'sends it elsewhere',
      'REDIRECT box@example.net',
      'DUNNO',
      { kind: 'pass', added: ['box@example.net'], removed: ['a@example.org', 'b@example.org'] },
    ],
    [
      'sends it elsewhere, as it said last',
      'REDIRECT box@example.net',
      'REDIRECT a@example.org',
      { kind: 'pass', added: ['a@example.org'], removed: ['b@example.org'] },
    ],
    [
      'copies it',
      'BCC c@example.net',
      'BCC d@example.net',
      { kind: 'pass', added: ['c@example.net', 'd@example.net'], removed: [] },
    ],
    ['notes something', 'WARN odd', 'INFO fine', { kind: 'pass', note: 'odd; fine' }],
  ])('that %s by its answers %s and %s does it to the message', async (_what, atRcpt, atEnd, verdict) => {
    const { delegation } = await delegationTo(({ state }) => (state === 'RCPT' ? atRcpt : atEnd))
    const message = checkedMessage({ to: ['a@example.org', 'b@example.org'] })
    expect((await submit(delegation, message)).verdict).toMatchObject(verdict)
  })

  it('puts fields at the top, in its order, and leaves the rest as it was', async () => {
    const { delegation } = await delegationTo(({ state }) =>
      state === 'RCPT' ? 'PREPEND X-First: 1' : 'PREPEND X-Second: 2',
    )
    const message = checkedMessage({ header: 'Subject: a\n\r\n', body: '\0\n' })
    const { verdict } = await submit(delegation, message)
    if (verdict.kind !== 'pass') throw new Error('It did not pass')
    expect(await textOf(verdict.draft)).toBe('X-First: 1\r\nX-Second: 2\r\nSubject: a\n\r\n\0\n')
    expect(verdict.draft.body).toBe(message.draft.body)
  })

  it("does nothing to a message for what it said of another transaction's recipient", async () => {
    const { delegation } = await delegationTo(({ state }) => (state === 'RCPT' ? 'DISCARD' : 'DUNNO'))
    const question = { transaction: checkedMessage().submitted, recipient: recipientOf('a@example.org') }
    await delegation.recipient(question, signal)
    expect(await delegation.check(checkedMessage(), signal)).toMatchObject({ kind: 'pass' })
  })
})

describe('the connections to a policy server', () => {
  it('carry one question at a time', async () => {
    let first = (): void => undefined
    const { delegation, server } = await delegationTo(({ socket }, number) => {
      if (number > 0) return 'DUNNO'
      first = () => void socket.write('action=DUNNO\n\n')
      return null
    })
    const one = delegation.check(checkedMessage(), signal)
    await delegation.check(checkedMessage(), signal)
    first()
    await one
    expect(server.sockets).toHaveLength(2)
    await Promise.all([
      delegation.check(checkedMessage(), signal),
      delegation.check(checkedMessage(), signal),
    ])
    expect(server.sockets).toHaveLength(2)
  })

  it('that the server has closed meanwhile cost no answer', async () => {
    const { delegation, server } = await delegationTo(() => 'DUNNO')
    await delegation.check(checkedMessage(), signal)
    server.sockets[0]!.end()
    await server.over(0)
    expect(await delegation.check(checkedMessage(), signal)).toMatchObject({ kind: 'pass' })
    expect(server.sockets).toHaveLength(2)
  })

  it('that the server closes at the question cost no answer', async () => {
    const { delegation, server } = await delegationTo(({ socket }, number) => {
      if (number !== 1) return 'DUNNO'
      socket.resetAndDestroy()
      return null
    })
    await delegation.check(checkedMessage(), signal)
    expect(await delegation.check(checkedMessage(), signal)).toMatchObject({ kind: 'pass' })
    expect(server.sockets).toHaveLength(2)
  })

  it('are not used again once something came on them that nobody asked for', async () => {
    const { delegation, server } = await delegationTo(() => 'DUNNO')
    await delegation.check(checkedMessage(), signal)
    server.sockets[0]!.write('action=REJECT\n\n')
    await server.over(0)
    expect(await delegation.check(checkedMessage(), signal)).toMatchObject({ kind: 'pass' })
  })

  it('are closed with it, and none is kept afterwards', async () => {
    let answer = (): void => undefined
    const { delegation, server } = await delegationTo(({ socket }, number) => {
      if (number === 0) return 'DUNNO'
      answer = () => void socket.write('action=DUNNO\n\n')
      return null
    })
    await delegation.check(checkedMessage(), signal)
    const last = delegation.check(checkedMessage(), signal)
    await once(server.sockets[0]!, 'data')
    await delegation.close()
    answer()
    await last
    await server.over(0)
  })

  it('do not gather listeners', async () => {
    const { delegation, server } = await delegationTo(() => 'DUNNO')
    const controller = new AbortController()
    for (let n = 0; n < 30; n++) await delegation.check(checkedMessage(), controller.signal)
    expect(server.sockets).toHaveLength(1)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it.each<[string, (question: Question) => string | null, string]>([
    ['says what we do not know', () => 'FILTER smtp:x', 'answered an action that is not known here'],
    [
      'says no action',
      ({ socket }) => {
        socket.write('what?\n\n')
        return null
      },
      'answered no action: "what?"',
    ],
    [
      'never ends its answer',
      ({ socket }) => {
        socket.write('x'.repeat(10_000))
        return null
      },
      'answered more than 8192 bytes',
    ],
    [
      'closes within its answer',
      ({ socket }) => {
        socket.end('action=OK\n')
        return null
      },
      'closed the connection before it had answered',
    ],
  ])('to a server that %s are away', async (_what, answer, reason) => {
    const { delegation } = await delegationTo(answer)
    await expect(delegation.check(checkedMessage(), signal)).rejects.toThrow(reason)
  })

  it('to a server that hangs are given up when the time is up', async () => {
    const { delegation, server } = await delegationTo(() => null)
    const log = { info() {}, warn() {}, error() {} } as never
    const guardian = guarded(delegation, { timeoutMs: 30, concurrency: 5, away: 'hold', log })
    const message = checkedMessage()
    const question = { transaction: message.submitted, recipient: recipientOf('a@example.org') }
    expect(await guardian.recipient(question)).toBeNull()
    expect(await guardian.check(message)).toMatchObject({
      away: 'no answer within 30ms',
      verdict: { kind: 'pass', hold: 'policyd did not answer: no answer within 30ms' },
    })
    await Promise.all([server.over(0), server.over(1)])
  })
})
