import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { HttpEndpoint } from '../../../src/policy/checkers/http-endpoint.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { closedPort } from '../../support/closed-port.ts'
import { HttpServer, json } from '../../support/http-server.ts'
import { SocketServer } from '../../support/socket-server.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

function endpoint(url: string) {
  const made = new HttpEndpoint(new URL(url))
  open.push(made)
  return (body: AsyncIterable<Buffer> | Buffer, signal = new AbortController().signal) =>
    made.post({ headers: { 'X-Test': 'ü' }, body, limitBytes: 1000, signal })
}

async function rawServer(connection: (socket: Socket) => void) {
  const server = await SocketServer.start(connection)
  open.push(server)
  return { server, post: endpoint(`http://127.0.0.1:${server.port}/`) }
}

function largeBody(pieces: number) {
  const source = {
    given: 0,
    ended: 0,
    async *[Symbol.asyncIterator]() {
      try {
        for (; source.given < pieces; source.given++) yield Buffer.alloc(64 * 1024, 'x')
      } finally {
        source.ended++
      }
    },
  }
  return source
}

const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK'

describe('a POST to a checker', () => {
  it.each(['127.0.0.1', '::1'])('to %s sends its body, and returns the answer', async (host) => {
    const server = await HttpServer.start(json({ ok: true }), host)
    open.push(server)
    const { signal } = new AbortController()
    const body = largeBody(20)
    const answer = await endpoint(`${server.url}/a?b`)(body, signal)
    expect({ ...answer, body: answer.body.toString() }).toEqual({
      status: 200,
      body: '{"ok":true}',
      early: false,
    })
    expect(server.questions[0]).toMatchObject({ path: '/a?b' })
    expect(server.questions[0]!.body.length).toBe(20 * 64 * 1024)
    expect(Buffer.from(server.questions[0]!.headers['x-test'] as string, 'latin1').toString()).toBe('ü')
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('follows no redirect', async () => {
    const elsewhere = await HttpServer.start(json({}))
    const server = await HttpServer.start((response) =>
      response.writeHead(307, { Location: elsewhere.url }).end(),
    )
    open.push(elsewhere, server)
    expect(await endpoint(server.url)(Buffer.from('{}'))).toMatchObject({ status: 307 })
    expect(elsewhere.questions).toHaveLength(0)
  })

  it('that is answered while it is still being sent is not sent to its end', async () => {
    const { post, server } = await rawServer(async (socket) => {
      await once(socket, 'data')
      socket.pause()
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')
    })
    const body = largeBody(1000)
    expect(await post(body)).toMatchObject({ status: 413, early: true })
    expect(body.given).toBeLessThan(1000)
    expect(body.ended).toBe(1)
    await server.over()
  })

  it('that is answered in pieces is read to its end', async () => {
    const { post } = await rawServer(async (socket) => {
      for (const piece of whole) {
        socket.write(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    expect((await post(Buffer.from('x'))).body.toString()).toBe('OK')
  })

  it('waits while the server takes nothing', async () => {
    const { post, server } = await rawServer((socket) => void socket.pause())
    const body = largeBody(1000)
    const controller = new AbortController()
    const answered = post(body, controller.signal)
    let before = -1
    while (body.given !== before || body.given === 0) {
      before = body.given
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(body.given).toBeLessThan(300)
    controller.abort(new Error('no time'))
    await expect(answered).rejects.toThrow('no time')
    expect(body.ended).toBe(1)
    await server.over()
  })

  it.each<[string, (socket: Socket) => void, RegExp]>([
    ['is closed at once', (socket) => void socket.end(), /socket hang up|ECONNRESET|EPIPE/],
    ['is reset', (socket) => void socket.resetAndDestroy(), /ECONNRESET|EPIPE|socket hang up/],
    [
      'is answered with something else',
      (socket) => void socket.end('220 mx.example.com ESMTP\r\n'),
      /Parse Error/,
    ],
    [
      'is answered in part',
      (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nO'),
      /aborted/,
    ],
    [
      'is answered without end',
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(2000)}`),
      /^answered more than 1000 bytes$/,
    ],
  ])('that %s is an error', async (_what, connection, message) => {
    const { post, server } = await rawServer((socket) => {
      socket.once('data', () => connection(socket))
    })
    await expect(post(Buffer.from('x'))).rejects.toThrow(message)
    await server.over()
  })

  it.each<[string, string | null]>([
    ['no answer', null],
    ['half an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nO'],
  ])('that gets %s ends when the time is up', async (_what, answer) => {
    const controller = new AbortController()
    const { post, server } = await rawServer((socket) => {
      socket.once('data', () => {
        if (answer !== null) socket.write(answer)
        setImmediate(() => controller.abort(new Error('no time')))
      })
    })
    await expect(post(Buffer.from('x'), controller.signal)).rejects.toThrow('no time')
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    await server.over()
  })

  it('is refused as the connection is', async () => {
    const post = endpoint(`http://127.0.0.1:${await closedPort()}/`)
    await expect(post(Buffer.from('x'))).rejects.toThrow('ECONNREFUSED')
    await expect(post(largeBody(1000))).rejects.toThrow('ECONNREFUSED')
  })

  it('is not sent to a server whose certificate nobody trusts', async () => {
    const certificates = makeCertificates()
    const asked: string[] = []
    const server = createServer(certificates.address, (request, response) => {
      asked.push(request.method ?? '')
      response.end()
    })
    server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1')
    await once(server, 'listening')
    open.push({
      async close() {
        certificates.remove()
        server.close()
        await once(server, 'close')
      },
    })
    const { port } = server.address() as AddressInfo
    await expect(endpoint(`https://127.0.0.1:${port}/`)(Buffer.from('x'))).rejects.toThrow(/certificate/)
    expect(asked).toEqual([])
  })

  it('fails as the reading of its body does', async () => {
    const { post } = await rawServer((socket) => void socket.resume())
    async function* body() {
      yield Buffer.from('x')
      throw new Error('the store is away')
    }
    await expect(post(body())).rejects.toThrow('the store is away')
  })
})
