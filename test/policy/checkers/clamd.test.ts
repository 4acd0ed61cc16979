import { getEventListeners, once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { NotChecked, unchanged } from '../../../src/policy/checkers/checker.ts'
import { Clamd, parseScan, type Scan } from '../../../src/policy/checkers/clamd.ts'
import { QueueUnavailable } from '../../../src/queue/queue.ts'
import { type CheckedFields, checkedMessage } from '../../support/checked-message.ts'
import { SocketServer } from '../../support/socket-server.ts'

const servers: SocketServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

/** Reads a stream to its end, as clamd does, and has what was in it. */
async function instream(socket: Socket): Promise<{ bytes: Buffer; lengths: number[] }> {
  let pending = Buffer.alloc(0)
  const chunks: Buffer[] = []
  const lengths: number[] = []
  const command = 'zINSTREAM\0'
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    pending = Buffer.concat([pending, chunk])
    let at = command.length
    chunks.splice(0)
    lengths.splice(0)
    while (pending.length >= at + 4) {
      const length = pending.readUInt32BE(at)
      if (length === 0) {
        expect(pending.toString('latin1', 0, command.length)).toBe(command)
        return { bytes: Buffer.concat(chunks), lengths }
      }
      chunks.push(pending.subarray(at + 4, at + 4 + length))
      lengths.push(length)
      at += 4 + length
    }
  }
  throw new Error('The stream ended too early')
}

async function scanBy(
  connection: (socket: Socket) => void | Promise<void>,
  options: { infected?: 'reject' | 'hold' | 'drop'; where?: { host: string } | 'unix' } = {},
) {
  const server = await SocketServer.start((socket) => void connection(socket), options.where)
  servers.push(server)
  const clamd = new Clamd({ name: 'clamav', address: server.address, infected: options.infected ?? 'reject' })
  const controller = new AbortController()
  return {
    server,
    controller,
    check: (fields: CheckedFields = {}) => clamd.check(checkedMessage(fields), controller.signal),
  }
}

const answers = (answer: string) => async (socket: Socket) => {
  await instream(socket)
  socket.end(`${answer}\0`)
}

/** A body of so many pieces, made as it is read. */
function largeBody(pieces: number) {
  const source = {
    given: 0,
    ended: 0,
    async *read() {
      try {
        for (let n = 0; n < pieces; n++) {
          source.given++
          yield Buffer.alloc(64 * 1024, 'x')
        }
      } finally {
        source.ended++
      }
    },
  }
  return source
}

describe('the answer of clamd', () => {
  it.each<[string, Scan]>([
    ['stream: OK', { kind: 'clean' }],
    ['stream: Eicar-Test FOUND', { kind: 'infected', signature: 'Eicar-Test' }],
    ['stream: {HEX}a b.UNOFFICIAL FOUND', { kind: 'infected', signature: '{HEX}a b.UNOFFICIAL' }],
    ['stream: Wörm\r\nFOUND FOUND', { kind: 'error', answer: 'stream: W?rm??FOUND FOUND' }],
    ['INSTREAM size limit exceeded. ERROR', { kind: 'tooLarge' }],
    ["stream: Can't allocate memory ERROR", { kind: 'error', answer: "stream: Can't allocate memory ERROR" }],
    ['', { kind: 'error', answer: '' }],
    ['UNKNOWN COMMAND', { kind: 'error', answer: 'UNKNOWN COMMAND' }],
    ['stream: OK and more', { kind: 'error', answer: 'stream: OK and more' }],
  ])('%j is read', (answer, scan) => {
    expect(parseScan(answer)).toEqual(scan)
  })
})

describe('clamd', () => {
  it.each([
    ['over IPv4', { host: '127.0.0.1' }],
    ['over IPv6', { host: '::1' }],
    ['over a UNIX socket', 'unix'],
  ] as const)('gets the whole message %s and finds it clean', async (_how, where) => {
    const seen: Buffer[] = []
    const { server, controller } = await scanBy(
      async (socket) => {
        const { bytes, lengths } = await instream(socket)
        seen.push(bytes)
        expect(lengths).not.toContain(0)
        socket.end('stream: OK\0')
      },
      { where },
    )
    const message = checkedMessage({ header: 'Subject: a\n\r\n', body: 'b\n.\n\0\xff' })
    const clamd = new Clamd({ name: 'clamav', address: server.address, infected: 'reject' })
    expect(await clamd.check(message, controller.signal)).toEqual(unchanged(message))
    expect(Buffer.concat(seen).equals(Buffer.from('Subject: a\n\r\nb\n.\n\0\xff'))).toBe(true)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    await server.over()
  })

  it('gets no empty chunk for an empty body', async () => {
    const { check } = await scanBy(answers('stream: OK'))
    const body = {
      async *read() {
        yield Buffer.alloc(0)
        yield Buffer.from('Hello\r\n')
      },
    }
    expect(await check({ body })).toMatchObject({ kind: 'pass' })
  })

  it.each([
    [
      'reject',
      {
        kind: 'refuse',
        reply: { code: 554, enhanced: '5.7.1', text: 'The message contains Eicar-Test' },
        note: 'found Eicar-Test',
      },
    ],
    ['hold', { kind: 'pass', hold: 'clamav found Eicar-Test', note: 'found Eicar-Test' }],
    ['drop', { kind: 'drop', note: 'found Eicar-Test' }],
  ] as const)('makes a relay %s infected mail', async (infected, verdict) => {
    const { check } = await scanBy(answers('stream: Eicar-Test FOUND'), { infected })
    expect(await check()).toMatchObject(verdict)
  })

  it.each<[string, (socket: Socket) => void | Promise<void>, string]>([
    ['answers with an error', answers('stream: Broken ERROR'), 'answered "stream: Broken ERROR"'],
    ['answers with nothing', answers(''), 'answered ""'],
    ['answers twice', answers('stream: OK\0stream: OK'), 'answered more than was asked'],
    [
      'closes without an answer',
      async (socket) => {
        await instream(socket)
        socket.end()
      },
      'closed the connection before it had answered',
    ],
    [
      'closes within its answer',
      async (socket) => {
        await instream(socket)
        socket.end('stream: OK')
      },
      'closed the connection before it had answered',
    ],
    [
      'never ends its answer',
      (socket) => void socket.resume().write('x'.repeat(5000)),
      'answered more than 4096 bytes',
    ],
  ])('that %s has no verdict', async (_what, connection, reason) => {
    const { check, server } = await scanBy(connection)
    await expect(check()).rejects.toThrow(reason)
    await server.over()
  })

  it('that says while we write that the message is too large is heard', async () => {
    const { check } = await scanBy(async (socket) => {
      await once(socket, 'data')
      socket.pause()
      socket.write('INSTREAM size limit exceeded. ERROR\0')
    })
    const body = largeBody(1000)
    await expect(check({ body })).rejects.toThrow(NotChecked)
    expect(body.given).toBeLessThan(1000)
    expect(body.ended).toBe(1)
  })

  it.each([
    ['clean is not believed', 'OK', null],
    ['infected is', 'Eicar-Test FOUND', 'refuse'],
  ])('that calls a message %s before it has all of it', async (_what, said, kind) => {
    const { check } = await scanBy(async (socket) => {
      await once(socket, 'data')
      socket.pause()
      socket.write(`stream: ${said}\0`)
    })
    const checked = check({ body: largeBody(1000) })
    if (kind === null)
      await expect(checked).rejects.toThrow('called the message clean before it had all of it')
    else expect(await checked).toMatchObject({ kind })
  })

  it('that resets the connection while we write has no verdict', async () => {
    const { check } = await scanBy(async (socket) => {
      await once(socket, 'data')
      socket.resetAndDestroy()
    })
    const body = largeBody(1000)
    await expect(check({ body })).rejects.toThrow(/EPIPE|ECONNRESET|closed the connection/)
    expect(body.given).toBeLessThan(1000)
  })

  it('that is slow slows the reading of the message: it is not piled up in memory', async () => {
    let resume = (): void => undefined
    const { check, server } = await scanBy(async (socket) => {
      await new Promise<void>((resolve) => {
        resume = resolve
      })
      let taken = 0
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        taken += chunk.length
        if (taken > 500 * 64 * 1024 && chunk.subarray(-4).equals(Buffer.alloc(4))) break
      }
      socket.end('stream: OK\0')
    })
    const body = largeBody(500)
    const checked = check({ body })
    let before = -1
    while (body.given !== before || body.given === 0) {
      before = body.given
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(body.given).toBeLessThan(300)
    resume()
    expect(await checked).toMatchObject({ kind: 'pass' })
    expect(body.given).toBe(500)
    await server.over()
  })

  it('that hangs is left when the time is up', async () => {
    const { check, controller, server } = await scanBy(async (socket) => {
      await instream(socket)
      controller.abort(new Error('no time'))
    })
    await expect(check()).rejects.toThrow('no time')
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    await server.over()
  })

  it('that takes nothing is left when the time is up', async () => {
    const { check, controller, server } = await scanBy((socket) => void socket.pause())
    const body = largeBody(1000)
    const checked = check({ body })
    setTimeout(() => controller.abort(new Error('no time')), 50)
    await expect(checked).rejects.toThrow('no time')
    expect(body.ended).toBe(1)
    await server.over()
  })

  it('is not blamed where our own store fails', async () => {
    const { check, server } = await scanBy((socket) => void socket.resume())
    const body = {
      async *read() {
        yield Buffer.from('Hello')
        throw new QueueUnavailable('the store is away')
      },
    }
    await expect(check({ body })).rejects.toThrow(QueueUnavailable)
    await server.over()
  })
})
