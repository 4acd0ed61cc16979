import { afterEach, describe, expect, it } from 'vitest'
import { NotChecked } from '../../../src/policy/checkers/checker.ts'
import { Rspamd } from '../../../src/policy/checkers/rspamd.ts'
import { type CheckedFields, checkedMessage, textOf } from '../../support/checked-message.ts'
import { HttpServer, json } from '../../support/http-server.ts'
import { SocketServer } from '../../support/socket-server.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function rspamdAt(
  answer: Parameters<typeof HttpServer.start>[0],
  { path = '', password = null }: { path?: string; password?: string | null } = {},
) {
  const server = await HttpServer.start(answer)
  const config = { name: 'rspamd', url: `${server.url}${path}` }
  const rspamd = new Rspamd(config, { password, hostname: 'relay.example.com' })
  open.push(rspamd, server)
  const { signal } = new AbortController()
  return {
    server,
    check: (fields: CheckedFields = {}) => rspamd.check(checkedMessage(fields), signal),
  }
}

describe('rspamd', () => {
  it('gets the message with all that is known of its envelope and client', async () => {
    const { check, server } = await rspamdAt(json({ action: 'no action' }), { password: 'geheim' })
    await check({
      header: 'Subject: a\n\r\n',
      body: '\0b\n.\n',
      from: 'jürgen@example.com',
      to: ['a@example.org', 'b@example.org'],
      session: {
        client: { address: '2001:db8::1', listener: 'exchange', user: 'alice' },
        tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
        helo: 'client\r\nPassword: x',
      },
    })
    const [question] = server.questions
    expect(question).toMatchObject({
      path: '/checkv2',
      headers: {
        ip: '2001:db8::1',
        helo: 'client??Password: x',
        user: 'alice',
        'queue-id': expect.stringMatching(/^[0-9A-Z]{20}$/),
        'mta-name': 'relay.example.com',
        'tls-version': 'TLSv1.3',
        'tls-cipher': 'TLS_AES_256_GCM_SHA384',
        password: 'geheim',
      },
    })
    expect(Buffer.from(question!.headers.from!, 'latin1').toString()).toBe('jürgen@example.com')
    const recipients = question!.rawHeaders.filter((_, index, raw) => raw[index - 1] === 'Rcpt')
    expect(recipients).toEqual(['a@example.org', 'b@example.org'])
    expect(question!.body.toString('latin1')).toBe('Subject: a\n\r\n\0b\n.\n')
  })

  it('is told nothing that is not known', async () => {
    const { check, server } = await rspamdAt(json({ action: 'no action' }))
    await check({ from: '', session: { client: { address: null, listener: null, user: null } } })
    const { headers } = server.questions[0]!
    expect(headers.from).toBe('<>')
    for (const name of ['ip', 'user', 'password', 'tls-version', 'tls-cipher'])
      expect(headers).not.toHaveProperty(name)
  })

  it('is asked below the path of its URL', async () => {
    const { check, server } = await rspamdAt(json({ action: 'no action' }), { path: '/rspamd/' })
    await check()
    expect(server.questions[0]!.path).toBe('/rspamd/checkv2')
  })

  it('is told of the first of very many recipients', async () => {
    const { check, server } = await rspamdAt(json({ action: 'no action' }))
    const to = Array.from({ length: 2000 }, (_, n) => `recipient-${n}@example.org`)
    await check({ to })
    const { rawHeaders } = server.questions[0]!
    const recipients = rawHeaders.filter((_, index, raw) => raw[index - 1] === 'Rcpt')
    expect(recipients).toEqual(to.slice(0, recipients.length))
    expect(recipients.join('').length).toBeGreaterThan(5_000)
  })
})

describe('the action', () => {
  const bare = { kind: 'pass', hold: null, sender: null, added: [], removed: [] }
  const refused = (code: number, text: string) => ({
    kind: 'refuse',
    reply: { code, enhanced: `${String(code)[0]}.7.1`, text },
  })

  it.each<[object, object]>([
    [{ action: 'no action' }, { ...bare, note: 'no action' }],
    [
      { action: 'greylist', score: 5 },
      { ...bare, note: 'greylist, score 5' },
    ],
    [{ action: 'of my own' }, bare],
    [{ action: 'reject' }, refused(554, 'Spam message rejected')],
    [{ action: 'reject', messages: { smtp_message: 'Gtube pattern' } }, refused(554, 'Gtube pattern')],
    [
      { action: 'reject', milter: { reject: 'discard' } },
      { kind: 'drop', note: 'reject' },
    ],
    [
      { action: 'reject', milter: { reject: 'quarantine' } },
      { ...bare, hold: 'rspamd: reject' },
    ],
    [{ action: 'reject', milter: { no_action: true } }, bare],
    [{ action: 'soft reject' }, refused(451, 'Try again later')],
    [{ action: 'soft reject', messages: { smtp_message: 'Greylisted' } }, refused(451, 'Greylisted')],
    [{ action: 'discard' }, { kind: 'drop', note: 'discard' }],
    [{ action: 'quarantine' }, { ...bare, hold: 'rspamd: quarantine' }],
    [
      { action: 'no action', milter: { change_from: 'b@example.com' } },
      { ...bare, sender: 'b@example.com' },
    ],
    [
      { action: 'no action', milter: { add_rcpt: ['c@example.org'], del_rcpt: ['a@example.org'] } },
      { ...bare, added: ['c@example.org'], removed: ['a@example.org'] },
    ],
  ])('%j makes a verdict', async (answer, verdict) => {
    const { check } = await rspamdAt(json(answer))
    expect(await check()).toMatchObject(verdict)
  })

  it('that changes nothing leaves the very same draft', async () => {
    const server = await HttpServer.start(json({ action: 'no action' }))
    const rspamd = new Rspamd(
      { name: 'rspamd', url: server.url },
      { password: null, hostname: 'relay.example.com' },
    )
    open.push(rspamd, server)
    const message = checkedMessage()
    expect(await rspamd.check(message, new AbortController().signal)).toHaveProperty('draft', message.draft)
  })

  it.each<[string, object, string]>([
    ['marks spam', { action: 'add header' }, 'A: 1\nSubject: old\nA: 2\nX-Spam: Yes\r\n\n'],
    [
      'marks spam as it wishes',
      { action: 'add header', milter: { spam_header: { 'X-Junk': '3' } } },
      'A: 1\nSubject: old\nA: 2\nX-Junk: 3\r\n\n',
    ],
    [
      'rewrites the subject',
      { action: 'rewrite subject', subject: '=?UTF-8?Q?SPAM=3A_?= old' },
      'A: 1\nSubject: =?UTF-8?Q?SPAM=3A_?= old\r\nA: 2\n\n',
    ],
    ['has no subject to write', { action: 'rewrite subject' }, 'A: 1\nSubject: old\nA: 2\n\n'],
    [
      'has a subject it does not use',
      { action: 'no action', subject: 'new' },
      'A: 1\nSubject: old\nA: 2\n\n',
    ],
    ['removes all', { action: 'no action', milter: { remove_headers: { a: 0 } } }, 'Subject: old\n\n'],
    [
      'removes the second',
      { action: 'no action', milter: { remove_headers: { a: 2 } } },
      'A: 1\nSubject: old\n\n',
    ],
    [
      'removes the last',
      { action: 'no action', milter: { remove_headers: { a: -1 } } },
      'A: 1\nSubject: old\n\n',
    ],
    [
      'removes what is not there',
      { action: 'no action', milter: { remove_headers: { a: -3, b: 1 } } },
      'A: 1\nSubject: old\nA: 2\n\n',
    ],
    [
      'adds at places',
      {
        action: 'no action',
        milter: {
          add_headers: {
            Last: 'l',
            Top: { value: 't', order: 1 },
            Third: { value: '3', order: 3 },
            'X-Before-Last': { value: 'b', order: -1 },
          },
        },
      },
      'Top: t\r\nA: 1\nThird: 3\r\nSubject: old\nA: 2\nX-Before-Last: b\r\nLast: l\r\n\n',
    ],
    [
      'signs',
      { action: 'no action', 'dkim-signature': 'v=1; a=rsa-sha256;\r\n\tb=x' },
      'DKIM-Signature: v=1; a=rsa-sha256;\r\n\tb=x\r\nA: 1\nSubject: old\nA: 2\n\n',
    ],
    [
      'only tells what it would do',
      { action: 'reject', milter: { no_action: true, add_headers: { 'X-A': 'a' } } },
      'A: 1\nSubject: old\nA: 2\nX-A: a\r\nX-Rspamd-Action: reject\r\n\n',
    ],
  ])('that %s changes the header so', async (_what, answer, header) => {
    const { check } = await rspamdAt(json(answer))
    const verdict = await check({ header: 'A: 1\nSubject: old\nA: 2\n\n', body: '\0\n' })
    if (verdict.kind !== 'pass') throw new Error('It did not pass')
    expect(await textOf(verdict.draft)).toBe(`${header}\0\n`)
  })
})

describe('rspamd that', () => {
  it.each<[string, Parameters<typeof HttpServer.start>[0], string]>([
    ['answers no JSON', (response) => void response.end('<html>'), 'answered what is no JSON'],
    [
      'refuses the password',
      json({ error: 'forbidden' }, 403),
      'answered with HTTP status 403: {"error":"forbidden"}',
    ],
    [
      'says too much',
      json({ action: 'no action', urls: ['x'.repeat(1024 * 1024)] }),
      'answered more than 1048576',
    ],
    [
      'wants to write two lines',
      json({ action: 'reject', subject: 'a\nb' }),
      'answered what cannot be understood',
    ],
  ])('%s is away', async (_what, answer, reason) => {
    const { check } = await rspamdAt(answer)
    await expect(check()).rejects.toThrow(reason)
  })

  it('judges a message before it has all of it is not believed', async () => {
    const server = await SocketServer.start((socket) => {
      socket.once('data', () => {
        socket.pause()
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"action":"no action"}')
      })
    })
    const config = { name: 'rspamd', url: `http://127.0.0.1:${server.port}` }
    const rspamd = new Rspamd(config, { password: null, hostname: 'relay.example.com' })
    open.push(rspamd, server)
    const body = {
      async *read() {
        for (let n = 0; n < 1000; n++) yield Buffer.alloc(64 * 1024, 'x')
      },
    }
    await expect(rspamd.check(checkedMessage({ body }), new AbortController().signal)).rejects.toThrow(
      'judged the message before it had all of it',
    )
  })

  it('finds the message too large has no verdict', async () => {
    const { check } = await rspamdAt(json({}, 413))
    await expect(check()).rejects.toThrow(NotChecked)
  })
})
