/** The inbox of a real sandbox, over HTTP. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { mostTextBytes } from '../../../src/admin/sandbox/inbox-view.ts'
import { sandboxEndpoints } from '../../../src/admin/sandbox/sandbox-endpoints.ts'
import { type Sandbox, startSandbox } from '../../../src/lab/sandbox.ts'
import { login, submitter } from '../../lab/submitter.ts'
import { type AdminPort, startAdminPort } from '../../support/admin-port.ts'
import type { SmtpClient } from '../../support/smtp-client.ts'

let sandbox: Sandbox
let client: SmtpClient
let port: AdminPort

beforeEach(async () => {
  sandbox = await startSandbox({ ...login, keepMessages: 5 })
  client = await submitter(sandbox)
  port = await startAdminPort({ endpoints: sandboxEndpoints({ sandbox }) })
})
afterEach(async () => {
  client.close()
  await port.stop()
  await sandbox.stop()
})

async function send(message: string | Buffer, { from = 'a@example.com' } = {}): Promise<void> {
  for (const command of [`MAIL FROM:<${from}>`, 'RCPT TO:<b@example.org>', 'RCPT TO:<c@example.org>', 'DATA'])
    await client.command(command)
  client.send(Buffer.concat([Buffer.from(message), Buffer.from('\r\n.\r\n')]))
  expect(await client.reply()).toMatch(/^250 /)
}

const inbox = async (query = '') => (await port.ask(`/sandbox/messages${query}`)).json

it('lists the newest first, with subjects as people read them', async () => {
  await send('Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello')
  await send('Subject: two\r\n\r\nHello', { from: '' })
  const { messages, next, kept } = await inbox()
  expect(messages).toMatchObject([
    { subject: 'two', from: '' },
    {
      subject: 'Grüße',
      from: 'a@example.com',
      to: ['b@example.org', 'c@example.org'],
      user: login.user,
      tls: expect.stringContaining('TLSv1'),
      receivedAt: expect.any(Number),
    },
  ])
  expect(messages[0].sizeBytes).toBe(sandbox.messages[1]!.raw.length)
  expect([next, kept]).toEqual([null, 2])
})

it('goes on page by page, and ends where messages have left meanwhile', async () => {
  for (let n = 1; n <= 4; n++) await send(`Subject: ${n}\r\n\r\n`)
  const first = await inbox('?limit=2')
  expect(first.messages.map(({ subject }: { subject: string }) => subject)).toEqual(['4', '3'])
  const second = await inbox(`?limit=2&after=${first.next}`)
  expect(second.messages.map(({ subject }: { subject: string }) => subject)).toEqual(['2', '1'])
  expect(second.next).toBeNull()
  sandbox.forgetMessages()
  expect(await inbox(`?after=${first.next}`)).toEqual({ messages: [], next: null, kept: 0 })
})

it('shows one with its header in order, decoded and unfolded, and its text', async () => {
  await send(
    'Received: from x\r\n\tby y\r\nX-mclm-SBR-Processed: true\r\nReceived: =?UTF-8?Q?=C3=BC?=\r\n\r\nGrüße',
  )
  const [{ id }] = (await inbox()).messages
  const { json } = await port.ask(`/sandbox/messages/${id}`)
  expect(json.headers).toEqual([
    { name: 'Received', value: 'from x\tby y' },
    { name: 'X-mclm-SBR-Processed', value: 'true' },
    { name: 'Received', value: 'ü' },
  ])
  expect(json.text).toMatch(/^Received: from x\r\n\tby y\r\n.*\r\n\r\nGrüße/s)
})

it.each<[string, Buffer, RegExp]>([
  [
    'octets that are not UTF-8, each as a character',
    Buffer.from('a: b\r\n\r\nGr\xfc\xdfe', 'latin1'),
    /Grüße/,
  ],
  [
    'no half character where it is cut',
    Buffer.from(`a: b\r\n\r\nx${'ü\r\n'.repeat(mostTextBytes / 4)}`),
    /ü\s*$/,
  ],
])('shows %s', async (_, message, text) => {
  await send(message)
  const [{ id }] = (await inbox()).messages
  expect((await port.ask(`/sandbox/messages/${id}`)).json.text).toMatch(text)
})

it('gives a message byte for byte', async () => {
  await send(Buffer.from('a: b\r\n\r\n\xff\0', 'latin1'))
  const [{ id }] = (await inbox()).messages
  const headers = { authorization: `Bearer ${await port.tokenFor('read')}` }
  const answer = await fetch(`${port.url}/sandbox/messages/${id}/message`, { headers })
  expect(answer.headers.get('content-type')).toBe('message/rfc822')
  expect(Buffer.from(await answer.arrayBuffer()).equals(sandbox.messages[0]!.raw)).toBe(true)
})

it('is emptied by who may act, and keeps what comes afterwards', async () => {
  await send('Subject: one\r\n\r\n')
  const empty = async (token: string) => port.ask('/sandbox/messages', { method: 'DELETE', token })
  expect(await empty(await port.tokenFor('read'))).toMatchObject({ code: 403 })
  expect(await empty(await port.tokenFor('operate'))).toMatchObject({ code: 204 })
  await send('Subject: two\r\n\r\n')
  expect((await inbox()).messages).toMatchObject([{ subject: 'two' }])
  expect(sandbox.counts.messages).toBe(2)
})

it('has no message that it does not keep', async () => {
  for (const path of ['/sandbox/messages/x-1', '/sandbox/messages/x-1/message'])
    expect(await port.ask(path)).toMatchObject({ code: 404, json: { status: 404 } })
})

it('is not there where the relay runs no sandbox', async () => {
  const without = await startAdminPort({ endpoints: sandboxEndpoints({ sandbox: null }) })
  const answer = await without.ask('/sandbox/messages')
  await without.stop()
  expect(answer).toMatchObject({ code: 404, json: { detail: 'This relay runs no sandbox' } })
})
