/** Which connector takes a recipient, and a message that leaves by two of them: two items over one body. */
import { expect, it } from 'vitest'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { type AcceptedMail, balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { letter, submit } from '../support/submit.ts'

const body = 'The same words for everybody.\r\n'.repeat(20_000)

it('queues a message for two connectors as two items, and keeps its body until both are done', async () => {
  const host = await startHost()
  const late = await startHost()
  await late.stop()
  const relay = await startRelay({
    connectors: [
      connectorTo(host.port, { id: 'org', name: 'Org', addressSpaces: ['example.org'] }),
      connectorTo(late.port, { id: 'net', name: 'Net', addressSpaces: ['example.net'] }),
    ],
    delivery: quickRetries,
  })
  const to = ['anna@example.org', 'bert@example.net', 'carl@example.org', 'dora@example.net']
  const accepted = [await submit(relay, { to, content: letter('Two ways', body) })]
  await host.received(1)
  await relay.line((line) => line.event === 'delivered')
  const { messageId } = relay.events('accepted')[0]!
  expect(await relay.queue()).toMatchObject([
    {
      ...{ id: `${messageId}-2`, messageId, connector: 'net' },
      recipients: [{ address: 'bert@example.net' }, { address: 'dora@example.net' }],
    },
  ])
  const back = await startHost({ port: late.port })
  await back.received(1)
  expect(host.ledger[0]!.to).toEqual(['anna@example.org', 'carl@example.org'])
  expect(back.ledger[0]!.to).toEqual(['bert@example.net', 'dora@example.net'])
  expect(back.messages[0]!.raw.equals(host.messages[0]!.raw)).toBe(true)
  expect(await balanceOf({ accepted, hosts: [host, back], relays: [relay] })).toEqual(
    balanced({ delivered: 4 }),
  )
})

it('lets a sender binding go before address spaces, as far as the bound connector serves', async () => {
  const hosts: Record<string, Sandbox> = {}
  for (const id of ['spaces', 'newsletter', 'partial']) hosts[id] = await startHost()
  const relay = await startRelay({
    connectors: [
      connectorTo(hosts.spaces!.port, { id: 'spaces', name: 'Spaces' }),
      connectorTo(hosts.newsletter!.port, { id: 'newsletter', name: 'Newsletter', addressSpaces: [] }),
      connectorTo(hosts.partial!.port, {
        ...{ id: 'partial', name: 'Partial', addressSpaces: ['example.org;100'] },
      }),
    ],
    senders: [
      { domain: 'example.com', connector: 'newsletter' },
      { address: 'director@example.com', connector: 0 },
      { address: 'branch@example.com', connector: 'partial' },
    ],
  })
  const accepted: AcceptedMail[] = []
  const sendTo = async (from: string, tag: string) => {
    accepted.push(await submit(relay, { from, to: [`${tag}@example.org`, `${tag}@example.net`] }))
  }
  await sendTo('Anybody@Example.COM', 'by-domain')
  await sendTo('director@example.com', 'unbound')
  await sendTo('branch@example.com', 'by-address')
  await sendTo('stranger@example.net', 'stranger')
  await sendTo('', 'null-sender')
  await relay.until(() => relay.events('delivered').length === 9)

  const taken = (id: string) => hosts[id]!.ledger.flatMap((entry) => entry.to).sort()
  expect(taken('newsletter')).toEqual(['by-domain@example.net', 'by-domain@example.org'])
  // The branch's connector serves example.org; the rest of its mail goes as anybody's.
  expect(taken('partial')).toEqual([
    'by-address@example.org',
    'null-sender@example.org',
    'stranger@example.org',
    'unbound@example.org',
  ])
  expect(taken('spaces')).toEqual([
    'by-address@example.net',
    'null-sender@example.net',
    'stranger@example.net',
    'unbound@example.net',
  ])
  expect(await balanceOf({ accepted, hosts: Object.values(hosts), relays: [relay] })).toEqual(
    balanced({ delivered: 10 }),
  )
})
