/** Programs of an operator's own that judge mail: a webhook, and a policy server as Postfix has them. */
import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { closeAfterwards, startHost } from '../support/end-to-end.ts'
import { HttpServer, json } from '../support/http-server.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { logged, messageTo, recipientsOf, startPolicyRelay, withoutTrace } from '../support/policy-relay.ts'
import { type PolicyRequest, PolicyServer } from '../support/policy-server.ts'
import { letter, offer, submit } from '../support/submit.ts'

/** What the subject says is the verdict. */
const verdicts: Record<string, object> = {
  mark: { verdict: 'accept', setHeaders: [{ name: 'X-Class', value: 'Größe' }], removeHeaders: ['X-Secret'] },
  redirect: { verdict: 'accept', redirectTo: ['desk@example.com'], addRecipients: ['log@example.com'] },
  thin: { verdict: 'accept', removeRecipients: ['thin@example.org'] },
  hold: { verdict: 'hold', reason: 'a person decides' },
  drop: { verdict: 'drop', reason: 'nobody wants it' },
  reject: { verdict: 'reject', enhanced: '5.7.900', text: 'Not with us' },
  defer: { verdict: 'defer', text: 'Not now' },
  nonsense: { verdict: 'perhaps' },
}

describe('a webhook', () => {
  async function start(change: Record<string, unknown> = {}) {
    const server = await HttpServer.start((response, question) => {
      const { headers } = JSON.parse(question.body.toString()) as {
        headers: { name: string; value: string }[]
      }
      json(verdicts[headers.find(({ name }) => name === 'Subject')!.value]!)(response)
    })
    closeAfterwards(() => server.close())
    const checker = {
      name: 'hook',
      kind: 'webhook',
      url: server.url,
      secret: { env: 'HOOK_SECRET' },
      ...change,
    }
    return {
      server,
      ...(await startPolicyRelay({ checkers: [checker] }, { env: { HOOK_SECRET: 'geheim' } })),
    }
  }

  it('is told who writes to whom, and does with the message what it wants', async () => {
    const { relay, host, server } = await start()
    const send = (word: string, to = [`${word}@example.org`]) =>
      offer(relay, { to, content: `X-Secret: 1\r\n${letter(word)}` })
    const mark = await send('mark')
    const redirect = await send('redirect')
    const thin = await send('thin', ['thin@example.org', 'thick@example.org'])
    const hold = await send('hold')
    const drop = await send('drop')
    expect((await send('reject')).reply).toBe('550 5.7.900 Not with us')
    expect((await send('defer')).reply).toBe('451 4.7.1 Not now')
    for (const { reply } of [mark, redirect, thin, hold, drop]) expect(reply).toMatch(/^250 /)
    await host.received(3)

    const [question] = server.questions
    const [, seconds, mac] = /^t=(\d+),v1=(\w+)$/.exec(question!.headers['x-relay-signature'] as string)!
    expect(mac).toBe(createHmac('sha256', 'geheim').update(`${seconds}.${question!.body}`).digest('hex'))
    expect(JSON.parse(question!.body.toString())).toMatchObject({
      envelope: { from: 'sender@example.com', to: ['mark@example.org'] },
      client: { address: '127.0.0.1', listener: 'exchange', user: null },
    })
    expect(withoutTrace(messageTo(host, 'mark@example.org'))).toBe(
      letter('mark').replace('\r\n\r\n', '\r\nX-Class: =?UTF-8?Q?Gr=C3=B6=C3=9Fe?=\r\n\r\n'),
    )
    expect(recipientsOf(messageTo(host, 'desk@example.com'))).toEqual(['desk@example.com', 'log@example.com'])
    expect(recipientsOf(messageTo(host, 'thick@example.org'))).toEqual(['thick@example.org'])
    expect((await logged(relay, 'dropped', 2)).map(({ by, recipients }) => [by, recipients])).toEqual([
      ['hook', ['thin@example.org']],
      ['hook', ['drop@example.org']],
    ])
    await logged(relay, 'delivered', 3)
    expect(await relay.queue()).toMatchObject([{ state: 'suspended', holdReason: 'a person decides' }])
    const redirected = { from: redirect.from, to: ['desk@example.com', 'log@example.com'] }
    expect(
      await balanceOf({ accepted: [mark, redirected, thin, hold, drop], hosts: [host], relays: [relay] }),
    ).toEqual(balanced({ delivered: 4, queued: 1, removed: 2 }))
  })

  it.each([
    ['defer', '451 4.7.0 A content check is not available, please try again later', {}],
    ['accept', expect.stringMatching(/^250 /), { delivered: 1 }],
    ['hold', expect.stringMatching(/^250 /), { queued: 1 }],
  ])('that answers nonsense is away: %s', async (away, expected, sums) => {
    const { relay, host } = await start({ away })
    const mail = await offer(relay, { to: ['anna@example.org'], content: letter('nonsense') })
    expect(mail.reply).toEqual(expected)
    const accepted = mail.reply.startsWith('250') ? [mail] : []
    if (away === 'accept') await host.received(1)
    expect(await logged(relay, 'checked')).toMatchObject([{ away: expect.any(String) }])
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced(sums))
  })
})

describe('policy delegation', () => {
  async function start(answer: (request: PolicyRequest) => string) {
    const server = await PolicyServer.start(answer)
    closeAfterwards(() => server.close())
    const checkers = [{ name: 'policyd', kind: 'delegation', address: server.address }]
    return { server, ...(await startPolicyRelay({ checkers })) }
  }

  it('is asked of each recipient, and of the message, as one transaction', async () => {
    const { relay, host, server } = await start(({ recipient, protocol_state: state }) => {
      if (state === 'RCPT' && recipient === 'bert@example.org') return '550 5.1.1 No such person'
      if (state === 'RCPT' && recipient === 'carl@example.org') return 'PREPEND X-For: carl'
      return state === 'END-OF-MESSAGE' ? 'PREPEND X-All: yes' : 'DUNNO'
    })
    const to = ['anna@example.org', 'bert@example.org', 'carl@example.org']
    const mail = await submit(relay, { to, parameters: 'SIZE=1000' })
    expect(mail.refused).toEqual({ 'bert@example.org': '550 5.1.1 No such person' })
    await host.received(1)
    expect(
      server.requests.map((request) => [request.protocol_state, request.recipient, request.recipient_count]),
    ).toEqual([
      ['RCPT', 'anna@example.org', '0'],
      ['RCPT', 'bert@example.org', '0'],
      ['RCPT', 'carl@example.org', '0'],
      ['END-OF-MESSAGE', '', '2'],
    ])
    expect(new Set(server.requests.map(({ instance }) => instance)).size).toBe(1)
    expect(server.requests[3]).toMatchObject({
      sender: 'sender@example.com',
      client_address: '127.0.0.1',
      queue_id: expect.stringMatching(/^[0-9A-Z]{20}$/),
    })
    expect(withoutTrace(messageTo(host, 'anna@example.org'))).toBe(
      `X-For: carl\r\nX-All: yes\r\n${letter('A letter')}`,
    )
    expect(await balanceOf({ accepted: [mail], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 2 }),
    )
  })

  it('holds, discards and redirects for the whole message what it said of one recipient', async () => {
    const words: Record<string, string> = {
      hold: 'HOLD wait for it',
      discard: 'DISCARD',
      redirect: 'REDIRECT desk@example.com',
      later: 'DEFER Not yet',
    }
    const { relay, host } = await start(({ recipient, protocol_state: state }) =>
      state === 'RCPT' ? (words[recipient!.split('@')[0]!] ?? 'DUNNO') : 'DUNNO',
    )
    const accepted = []
    for (const word of ['hold', 'discard', 'redirect'])
      accepted.push(await submit(relay, { to: [`${word}@example.org`, `with-${word}@example.org`] }))
    expect((await offer(relay, { to: ['later@example.org'] })).reply).toBe('450 4.7.1 Not yet')
    await host.received(1)
    expect(host.ledger.map(({ to }) => to)).toEqual([['desk@example.com']])
    await logged(relay, 'delivered')
    expect(await relay.queue()).toMatchObject([{ state: 'suspended', holdReason: 'wait for it' }])
    const [hold, discard] = accepted
    const redirected = { from: 'sender@example.com', to: ['desk@example.com'] }
    expect(
      await balanceOf({ accepted: [hold!, discard!, redirected], hosts: [host], relays: [relay] }),
    ).toEqual(balanced({ delivered: 1, queued: 2, removed: 2 }))
  })

  it('comes before a webhook where the configuration has it so: each sees what the one before did', async () => {
    const policyd = await PolicyServer.start(({ protocol_state: state }) =>
      state === 'RCPT' ? 'DUNNO' : 'BCC log@example.com',
    )
    const hook = await HttpServer.start(json({ verdict: 'accept' }))
    closeAfterwards(() => Promise.all([policyd.close(), hook.close()]))
    const { relay, host } = await startPolicyRelay(
      {
        checkers: [
          { name: 'policyd', kind: 'delegation', address: policyd.address },
          { name: 'hook', kind: 'webhook', url: hook.url, secret: { env: 'HOOK_SECRET' } },
        ],
      },
      { env: { HOOK_SECRET: 'geheim' }, host: await startHost() },
    )
    const accepted = [await submit(relay, { to: ['anna@example.org'] })]
    await host.received(1)
    const { envelope } = JSON.parse(hook.questions[0]!.body.toString()) as { envelope: { to: string[] } }
    expect(envelope.to).toEqual(['anna@example.org', 'log@example.com'])
    expect(
      await balanceOf({
        accepted: [...accepted, { from: 'sender@example.com', to: ['log@example.com'] }],
        hosts: [host],
        relays: [relay],
      }),
    ).toEqual(balanced({ delivered: 2 }))
  })
})
