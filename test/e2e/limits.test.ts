/** What is too large, or for too many, is refused with the precise reply; the session goes on, and nothing of it is relayed. */
import { expect, it } from 'vitest'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { letter, offer, submit } from '../support/submit.ts'

const limited = { name: 'exchange', port: 0, maxMessageSize: '64KB', maxRecipients: 3, maxHeaderSize: '4KB' }

it('refuses a message that is too large, when it says so and when it does not', async () => {
  const host = await startHost()
  const relay = await startRelay({ listeners: [limited], connectors: [connectorTo(host.port)] })
  const client = await SmtpClient.greet(relay)
  expect(await client.command('MAIL FROM:<sender@example.com> SIZE=65537')).toMatch(/^552 5\.3\.4 /)
  expect(await client.command('MAIL FROM:<sender@example.com> SIZE=1e30')).toMatch(/^501 5\.5\.4 /)
  expect(await client.command('NOOP')).toMatch(/^250 /)
  client.close()

  const tooLarge = await offer(relay, {
    to: ['large@example.org'],
    content: letter('x', 'x\r\n'.repeat(30_000)),
  })
  expect(tooLarge.reply).toMatch(/^552 5\.3\.4 /)
  const tooMuchHeader = await offer(relay, {
    to: ['header@example.org'],
    content: `Subject: x\r\n${'X-Field: filler\r\n'.repeat(400)}\r\nbody\r\n`,
  })
  expect(tooMuchHeader.reply).toMatch(/^5\d\d 5\./)
  const accepted = [
    await submit(relay, { to: ['small@example.org'], content: letter('x', 'x\r\n'.repeat(20_000)) }),
  ]
  await host.received(1)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
})

it('refuses the recipients that are too many, and relays to the others', async () => {
  const host = await startHost()
  const relay = await startRelay({ listeners: [limited], connectors: [connectorTo(host.port)] })
  const to = ['one', 'two', 'three', 'four', 'five'].map((name) => `${name}@example.org`)
  const submitted = await submit(relay, { to })
  expect(submitted.refused).toEqual({
    'four@example.org': expect.stringMatching(/^452 4\.5\.3 /),
    'five@example.org': expect.stringMatching(/^452 4\.5\.3 /),
  })
  // RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction.
  const accepted = [submitted, await submit(relay, { to: to.slice(3) })]
  await host.received(2)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 5 }))
})

it('refuses a message that has gone in circles', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)] })
  const hops = 'Received: from a.example.net by b.example.net; Mon, 5 Jan 2026 08:00:00 +0000\r\n'
  const looping = await offer(relay, { to: ['loop@example.org'], content: `${hops.repeat(51)}\r\nx\r\n` })
  expect(looping.reply).toMatch(/^554 5\.4\.6 /)
  expect(await balanceOf({ accepted: [], hosts: [host], relays: [relay] })).toEqual(balanced({}))
})

it('takes what is exactly as large as its connector sends, although it adds a field of its own', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port, { maxSendSize: '64KB' })] })
  const fill = (sizeBytes: number): string => {
    const start = letter('x', '')
    return `${start}${'x'.repeat(sizeBytes - start.length - 2)}\r\n`
  }
  const exact = { content: fill(65_536), parameters: 'SIZE=65536' }
  const accepted = [await submit(relay, { to: ['fits@example.org'], ...exact })]
  const over = await offer(relay, { to: ['over@example.org'], content: fill(65_537) })
  expect(over.reply).toMatch(/^552 5\.3\.4 /)
  await host.received(1)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
})
