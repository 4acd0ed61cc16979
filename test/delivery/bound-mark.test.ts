/** Mail that leaves by its sender's binding carries OVHcloud's mark, above everything else and outside of no other byte. */
import { describe, expect, it } from 'vitest'
import { isMarked } from '../../src/delivery/bound-mark.ts'
import { alpha, RunningDelivery } from '../support/running-delivery.ts'
import { certificates, start } from '../support/scripted-host.ts'

const mark = 'x-mclm-sbr-processed: true\r\n'
const small = Buffer.from('Received: by relay.example.com\r\nSubject: Hello\r\n\r\nBye\r\n')
const large = Buffer.from(`Subject: Large\r\n\r\n${'Of many lines\r\n'.repeat(60_000)}`)

it.each([
  ['small', small],
  ['large', large],
])('a %s message that is bound is marked, and no byte else is changed', async (_size, body) => {
  const host = await start({ tls: certificates.good })
  const running = await RunningDelivery.prepare({
    connectors: [alpha(host, { connections: 1, tlsAuthLevel: 'encryptionOnly' })],
  })
  await running.store({ body, items: [{ boundMark: true }] })
  await running.store({ body, items: [{ boundMark: false }] })
  running.delivery.start()
  await running.events.until('delivered', 2)
  const sent = host.messages.map(({ data }) => String(data)).sort((a, b) => b.length - a.length)
  expect(sent).toEqual([mark + body.toString(), body.toString()])
})

describe('a message is marked already', () => {
  it.each([
    ['Subject: a\r\nX-MCLM-SBR-Processed: true\r\n\r\n', true],
    ['x-mclm-sbr-processed : true\r\n\r\n', true],
    ['x-mclm-sbr-processed-by: true\r\n\r\n', false],
    ['Subject: x-mclm-sbr-processed: true\r\n\r\n', false],
    ['Subject: a\r\n x-mclm-sbr-processed: true\r\n\r\n', false],
  ])('%j: %s', (header, marked) => {
    expect(isMarked(Buffer.from(header))).toBe(marked)
  })
})
