import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { permanent } from '../../src/reply.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { RecordingReception, type RunningListener, type RunOptions, runListener } from './running-listener.ts'

const clients: SmtpClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

async function connect(running: RunningListener, localAddress?: string): Promise<SmtpClient> {
  const client = await SmtpClient.connect({ port: running.port, ...(localAddress && { localAddress }) })
  clients.push(client)
  return client
}

async function greet(running: RunningListener, localAddress?: string): Promise<SmtpClient> {
  const client = await connect(running, localAddress)
  await client.reply()
  await client.command('EHLO client.example.com')
  return client
}

async function untilData(running: RunningListener): Promise<SmtpClient> {
  const client = await greet(running)
  await client.command('MAIL FROM:<a@example.com>')
  await client.command('RCPT TO:<b@example.org>')
  expect(await client.command('DATA')).toMatch(/^354 /)
  return client
}

const small = (options: RunOptions['config'] = {}): RunOptions => ({
  config: { maxMessageSize: 100_000, ...options },
})

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

describe('greeting', () => {
  it('comes at once, and not after the 100 ms that the library waits', async () => {
    const running = await runListener()
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const begun = performance.now()
      const client = await connect(running)
      expect(await client.reply()).toBe('220 relay.example.com ESMTP')
      times.push(performance.now() - begun)
    }
    expect(Math.min(...times)).toBeLessThan(80)
  })

  it('does not wait for a client that talks first', async () => {
    const running = await runListener()
    const client = await connect(running)
    client.send('EHLO client.example.com\r\nNOOP\r\n')
    expect(await client.reply()).toMatch(/^220 /)
    expect(await client.reply()).toMatch(/^250-/)
    expect(await client.reply()).toMatch(/^250 2\.0\.0/)
  })
})

describe('a transaction', () => {
  it('reaches reception canonical and complete', async () => {
    const running = await runListener()
    const client = await greet(running)
    await client.command('MAIL FROM:<A@xn--mnchen-3ya.EXAMPLE> SIZE=50 BODY=8BITMIME RET=HDRS ENVID=QQ1')
    await client.command('RCPT TO:<b@Example.org> NOTIFY=FAILURE ORCPT=rfc822;B@example.org')
    await client.command('RCPT TO:<c@xn--mnchen-3ya.example> NOTIFY=NEVER')
    await client.command('DATA')
    expect(await client.command('Subject: x\r\n\r\n..dot\r\n.')).toBe('250 2.6.0 Queued as TEST')
    const [message] = running.reception.messages
    expect(message!.bytes.toString()).toBe('Subject: x\r\n\r\n.dot\r\n')
    expect(message!.transaction).toMatchObject({
      session: {
        client: { address: '127.0.0.1', listener: 'test', user: null },
        helo: 'client.example.com',
        senders: 'all',
        protocol: 'ESMTP',
        tls: null,
      },
      sender: {
        from: 'A@xn--mnchen-3ya.example',
        bodyType: '8bitmime',
        smtpUtf8: false,
        ret: 'hdrs',
        envid: 'QQ1',
      },
      declaredSizeBytes: 50,
      recipients: [
        { address: 'b@example.org', notify: ['failure'], orcpt: 'rfc822;B@example.org' },
        { address: 'c@xn--mnchen-3ya.example', notify: 'never', orcpt: null },
      ],
    })
  })

  it.each([
    ['check', ['a@example.com']],
    ['ignore', 'all'],
  ] as const)('says as whom its From field may speak: fromField %s, %j', async (fromField, senders) => {
    const networks = [{ network: '127.0.0.0/8', senders: ['a@example.com'] }]
    const running = await runListener({ access: { networks, fromField } })
    const client = await greet(running)
    await client.command('MAIL FROM:<>')
    await client.command('RCPT TO:<b@example.org>')
    await client.command('DATA')
    expect(await client.command('Subject: x\r\n.')).toMatch(/^250 /)
    expect(running.reception.messages[0]!.transaction.session.senders).toEqual(senders)
  })

  it('takes nothing over from a MAIL that was refused', async () => {
    const running = await runListener(small())
    const client = await greet(running)
    await client.command('MAIL FROM:<a@example.com> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=x SIZE=999999')
    expect(await client.message()).toMatch(/^250 /)
    expect(running.reception.messages[0]!.transaction).toMatchObject({
      sender: { bodyType: '7bit', smtpUtf8: false, ret: null, envid: null },
      declaredSizeBytes: null,
    })
  })

  it.each([
    ['HELO', '', 'SMTP'],
    ['EHLO', '', 'ESMTP'],
    ['EHLO', ' SMTPUTF8', 'UTF8SMTP'],
  ])('after %s%s is called %s', async (hello, parameter, protocol) => {
    const running = await runListener()
    const client = await connect(running)
    await client.reply()
    await client.command(`${hello} client.example.com`)
    await client.command(`MAIL FROM:<>${parameter}`)
    await client.command('RCPT TO:<b@example.org>')
    await client.command('DATA')
    await client.command('.')
    expect(running.reception.messages[0]!.transaction.session.protocol).toBe(protocol)
  })

  it('leaves recipients out that reception refuses, and records why', async () => {
    const reception = new RecordingReception()
    reception.onRecipient = ({ address }) =>
      address.startsWith('no') ? permanent('4.4', 'No connector takes example.org') : null
    const running = await runListener({ reception })
    const client = await greet(running)
    await client.command('MAIL FROM:<a@example.com>')
    expect(await client.command('RCPT TO:<no@example.org>')).toBe('550 5.4.4 No connector takes example.org')
    await client.command('RCPT TO:<yes@example.org>')
    await client.command('DATA')
    await client.command('.')
    expect(reception.messages[0]!.transaction.recipients.map(({ address }) => address)).toEqual([
      'yes@example.org',
    ])
    expect(running.events).toMatchObject([
      {
        event: 'rejected',
        command: 'RCPT',
        from: 'a@example.com',
        to: 'no@example.org',
        reply: { code: 550 },
      },
    ])
  })
})

describe('the end of data', () => {
  const endings = [
    '\n.\n',
    '\n.\r\n',
    '\r\n.\n',
    '\r.\r',
    '\r.\r\n',
    '\r\n.\r',
    '\n.\r',
    '\r.\n',
    '\r\n\0.\r\n',
    '\r\n.\0\r\n',
  ]
  const smuggled =
    'MAIL FROM:<x@example.com>\r\nRCPT TO:<y@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\n\r\n.\r\n'

  it.each(endings)('is not %j: one message, refused', async (ending) => {
    const running = await runListener()
    const client = await untilData(running)
    client.send(`Subject: x\r\n\r\nbody${ending}${smuggled}`)
    expect(await client.reply()).toMatch(/^55[04] 5\.6\.(0|11) /)
    expect(await client.command('NOOP')).toMatch(/^250 /)
    expect(running.reception).toMatchObject({ messages: [], begun: 1, failures: [] })
  })

  it.each(endings)('is not %j octet by octet either', async (ending) => {
    const running = await runListener()
    const client = await untilData(running)
    for (const octet of Buffer.from(`x\r\n\r\nbody${ending}MAIL FROM:<x@example.com>\r\n.\r\n`, 'latin1')) {
      client.send(Buffer.of(octet))
      await new Promise(setImmediate)
    }
    expect(await client.reply()).toMatch(/^55[04] 5\.6\.(0|11) /)
    expect(await client.command('NOOP')).toMatch(/^250 /)
    expect(running.reception).toMatchObject({ messages: [], begun: 1, failures: [] })
  })

  it('is found where bare newlines are repaired, and none of them ends the message', async () => {
    const running = await runListener({ config: { bareNewlines: 'repair' } })
    const client = await untilData(running)
    client.send(`Subject: x\r\n\r\nbody\n.\n${smuggled}`)
    expect(await client.reply()).toMatch(/^250 /)
    const text = running.reception.messages[0]!.bytes.toString()
    expect(text).toContain('body\r\n.\r\nMAIL FROM')
    expect(text).not.toMatch(/[^\r]\n|\r[^\n]/)
    expect(running.reception.begun).toBe(1)
  })

  it.each([
    ['.\r\n', ''],
    ['..\r\n.\r\n', '.\r\n'],
    ['\r\n.\r\n', '\r\n'],
    ['...\r\n..x\r\nx.\r\n.\r\n', '..\r\n.x\r\nx.\r\n'],
  ])('unstuffs %j to %j', async (sent, kept) => {
    const running = await runListener()
    const client = await untilData(running)
    client.send(sent)
    expect(await client.reply()).toMatch(/^250 /)
    expect(running.reception.messages[0]!.bytes.toString()).toBe(kept)
  })
})

describe('fragments', () => {
  const session = [
    'EHLO client.example.com',
    'MAIL FROM:<a@example.com>',
    'RCPT TO:<b@example.org>',
    'DATA',
    'Subject: x',
    '',
    '..stuffed',
    'last',
    '.',
    'MAIL FROM:<c@example.com>',
    'RCPT TO:<d@example.org>',
    'DATA',
    'Subject: y',
    '.',
    'QUIT',
    '',
  ].join('\r\n')

  it.each([1, 3, 17, 1000])('of %i octets give the same replies and messages', async (size) => {
    const running = await runListener()
    const client = await connect(running)
    for (let at = 0; at < session.length; at += size) {
      client.send(session.slice(at, at + size))
      await new Promise(setImmediate)
    }
    const codes: string[] = []
    for (let reply = await client.reply(); reply !== ''; reply = await client.reply())
      codes.push(reply.slice(0, 3))
    expect(codes).toEqual('220 250 250 250 354 250 250 250 354 250 221'.split(' '))
    expect(running.reception.messages.map(({ bytes }) => bytes.toString())).toEqual([
      'Subject: x\r\n\r\n.stuffed\r\nlast\r\n',
      'Subject: y\r\n',
    ])
  })
})

describe('refused content', () => {
  it('is read to its end, and the session goes on', async () => {
    const running = await runListener(small())
    const client = await untilData(running)
    client.send(`Subject: x\r\n\r\n${'line\r\n'.repeat(20_000)}.\r\n`)
    expect(await client.reply()).toMatch(/^552 5\.3\.4 /)
    expect(await client.message()).toMatch(/^250 /)
  })

  it('is cut off where it does not end', async () => {
    const running = await runListener(small())
    const client = await untilData(running)
    const chunk = 'line\r\n'.repeat(10_000)
    let sentBytes = 0
    while (client.unread === '' && sentBytes < 200_000_000) {
      sentBytes += chunk.length
      if (!client.socket.write(chunk)) await Promise.race([once(client.socket, 'drain'), client.ended()])
    }
    expect(await client.reply()).toMatch(/^552 5\.3\.4 /)
    await client.ended()
    // What the kernel buffers on the way is not ours to bound.
    expect(sentBytes).toBeLessThan(20_000_000)
  })
})

describe('limits', () => {
  it('refuses sessions beyond those of the address, and serves other addresses', async () => {
    const running = await runListener({ config: { maxSessionsPerAddress: 2 } })
    const first = await greet(running)
    await greet(running)
    const third = await connect(running)
    expect(await third.reply()).toBe('421 4.7.0 Too many sessions from 127.0.0.1')
    await third.ended()
    expect(await (await connect(running, '127.0.0.2')).reply()).toMatch(/^220 /)
    expect(running.listener.sessions).toBe(3)
    await first.command('QUIT')
    await eventually(() => running.listener.sessions === 2)
    expect(await (await connect(running)).reply()).toMatch(/^220 /)
    expect(running.events).toMatchObject([
      { event: 'rejected', command: 'CONNECT', client: { address: '127.0.0.1', listener: 'test' } },
    ])
  })

  it('refuses sessions beyond those of the listener', async () => {
    const running = await runListener({ config: { maxSessions: 2 } })
    await greet(running)
    await greet(running)
    expect(await (await connect(running, '127.0.0.2')).reply()).toMatch(/^421 4\.3\.2 /)
  })

  it('serves the next client while fifty are idle', async () => {
    const running = await runListener()
    await Promise.all(Array.from({ length: 50 }, () => greet(running)))
    expect(await (await greet(running)).message()).toMatch(/^250 /)
  })

  it('drops an idle client', async () => {
    const running = await runListener({ config: { idleTimeout: 200 } })
    const client = await greet(running)
    expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
    await client.ended()
  })

  it('does not call a client idle that waits for the store', async () => {
    const reception = new RecordingReception()
    reception.beforeReply = () => sleep(700)
    const running = await runListener({ reception, config: { idleTimeout: 200 } })
    const client = await untilData(running)
    expect(await client.command('.')).toMatch(/^250 /)
  })

  it.each(['in a command', 'in a message'])('drops a client that drips octets %s for ever', async (where) => {
    const running = await runListener({ config: { sessionTimeout: 600, idleTimeout: 300 } })
    const client = where === 'in a message' ? await untilData(running) : await greet(running)
    const drip = setInterval(() => client.send('x'), 50)
    try {
      expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
      await client.ended()
    } finally {
      clearInterval(drip)
    }
    await eventually(() => running.listener.sessions === 0)
    expect(running.reception.messages).toEqual([])
  })

  it('lets the reply to a message come before it drops a session that has lasted too long', async () => {
    const reception = new RecordingReception()
    reception.beforeReply = () => sleep(800)
    const running = await runListener({ reception, config: { sessionTimeout: 400 } })
    const client = await untilData(running)
    expect(await client.command('.')).toMatch(/^250 2\.6\.0 /)
    expect(await client.reply()).toMatch(/^421 4\.4\.2 /)
    await client.ended()
  })

  it('drops a client that gets everything wrong', async () => {
    const running = await runListener()
    const client = await greet(running)
    client.send('NONSENSE\r\n'.repeat(51))
    for (let i = 0; i < 50; i++) expect(await client.reply()).toMatch(/^500 5\.5\.2 /)
    expect(await client.reply()).toMatch(/^421 4\.7\.0 /)
    await client.ended()
  })

  it.each(['', '\r\n'])('drops a client whose line is far too long, %j at its end', async (end) => {
    const running = await runListener()
    const client = await greet(running)
    client.send('x'.repeat(20_000) + end)
    expect(await client.reply()).toBe('500 5.5.2 Line too long')
    await client.ended()
    await eventually(() => running.listener.sessions === 0)
  })
})

describe('clients that go away', () => {
  it('in the middle of a message leave nothing behind', async () => {
    const running = await runListener()
    const client = await untilData(running)
    client.send('Subject: x\r\n\r\nhalf')
    await eventually(() => running.reception.begun === 1)
    client.socket.resetAndDestroy()
    await eventually(() => running.reception.failures.length === 1 && running.listener.sessions === 0)
    expect(running.reception.messages).toEqual([])
  })

  it.each(['RST', 'FIN'])('in a transaction (%s) disturb nobody', async (how) => {
    const running = await runListener()
    const other = await greet(running)
    const client = await greet(running)
    await client.command('MAIL FROM:<a@example.com>')
    if (how === 'RST') client.socket.resetAndDestroy()
    else client.close()
    await eventually(() => running.listener.sessions === 1)
    expect(await other.message()).toMatch(/^250 /)
  })

  it('in the middle of a line have not given that command', async () => {
    const running = await runListener()
    const client = await greet(running)
    await client.command('MAIL FROM:<a@example.com>')
    await client.command('RCPT TO:<b@example.org>')
    client.socket.end('DATA')
    await client.ended()
    await eventually(() => running.listener.sessions === 0)
    expect(running.reception.begun).toBe(0)
    expect(client.unread).toBe('')
  })

  it('while the message is stored do not undo it', async () => {
    let store = () => {}
    const reception = new RecordingReception()
    reception.beforeReply = () =>
      new Promise((resolve) => {
        store = resolve
      })
    const running = await runListener({ reception })
    const client = await untilData(running)
    client.send('Subject: x\r\n.\r\n')
    await eventually(() => reception.begun === 1)
    await sleep(50)
    client.socket.resetAndDestroy()
    await eventually(() => running.listener.sessions === 0)
    store()
    await eventually(() => reception.messages.length === 1)
  })
})

describe('faults of ours', () => {
  it('in reception are temporary, say nothing, and are in the log', async () => {
    const reception = new RecordingReception()
    reception.message = async () => {
      throw new Error('secret detail')
    }
    const running = await runListener({ reception })
    const client = await untilData(running)
    expect(await client.command('Subject: x\r\n\r\n.')).toMatch(/^451 4\.3\.0 (?!.*secret)/)
    expect(await client.command('NOOP')).toMatch(/^250 /)
    expect(running.logged).toMatchObject([{ level: 'error', fields: { err: { message: 'secret detail' } } }])
  })

  it('in routing a recipient are temporary too', async () => {
    const reception = new RecordingReception()
    reception.onRecipient = () => {
      throw new Error('secret detail')
    }
    const running = await runListener({ reception })
    const client = await greet(running)
    await client.command('MAIL FROM:<a@example.com>')
    expect(await client.command('RCPT TO:<b@example.org>')).toMatch(/^451 4\.3\.0 (?!.*secret)/)
    expect(await client.command('NOOP')).toMatch(/^250 /)
    expect(running.logged).toMatchObject([{ level: 'error' }])
  })

  it('do not accept a message before its end', async () => {
    const reception = new RecordingReception()
    reception.message = async () => ({ code: 250, enhanced: '2.6.0', text: 'Too early' })
    const running = await runListener({ reception })
    const client = await untilData(running)
    client.send('Subject: x\r\n')
    await sleep(50)
    expect(client.unread).toBe('')
    expect(await client.command('.')).toMatch(/^451 4\.3\.0 /)
  })
})

it('records what it refuses at MAIL, with the path as typed', async () => {
  const running = await runListener({ access: { networks: [] } })
  const client = await greet(running)
  await client.command('MAIL FROM:<a@example.com>')
  await client.command('MAIL FROM:<a@b@c>')
  expect(running.events).toMatchObject([
    { command: 'MAIL', from: 'a@example.com', reply: { code: 550, enhanced: '5.7.1' } },
    { command: 'MAIL', from: 'a@b@c', reply: { code: 501, enhanced: '5.1.7' } },
  ])
})

it('says why where the port cannot be opened', async () => {
  const running = await runListener()
  await expect(runListener({ config: { port: running.port } })).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

describe('stop', () => {
  it('accepts nobody any more, and says 421 to who is not sending a message', async () => {
    const running = await runListener()
    const idle = await greet(running)
    const inTransaction = await greet(running)
    await inTransaction.command('MAIL FROM:<a@example.com>')
    await running.listener.stop(5000)
    for (const client of [idle, inTransaction]) {
      expect(await client.reply()).toMatch(/^421 4\.3\.2 /)
      await client.ended()
    }
    await expect(connect(running)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(running.listener.sessions).toBe(0)
  })

  it('lets messages under way come to their reply, being sent or being stored', async () => {
    const reception = new RecordingReception()
    reception.beforeReply = () => sleep(300)
    const running = await runListener({ reception })
    const storing = await untilData(running)
    storing.send('.\r\n')
    await eventually(() => reception.begun === 1)
    const sending = await untilData(running)
    sending.send('Subject: x\r\n')
    const stopped = running.listener.stop(5000)
    await sleep(50)
    sending.send('\r\nrest\r\n.\r\n')
    for (const client of [storing, sending]) {
      expect(await client.reply()).toMatch(/^250 2\.6\.0 /)
      expect(await client.reply()).toMatch(/^421 4\.3\.2 /)
    }
    await stopped
    expect(reception.messages).toHaveLength(2)
  })

  it('cuts off at its deadline, and says nothing to a client whose message is being stored', async () => {
    const reception = new RecordingReception()
    reception.beforeReply = () => new Promise(() => {})
    const running = await runListener({ reception })
    const storing = await untilData(running)
    storing.send('.\r\n')
    await eventually(() => reception.begun === 1)
    const sending = await untilData(running)
    sending.send('Subject: x\r\n')
    await running.listener.stop(100)
    expect(await sending.reply()).toMatch(/^421 4\.3\.2 /)
    expect(await storing.reply()).toBe('')
  })
})
