import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import {
  connectTo,
  parseSocketAddress,
  type SocketAddress,
} from '../../../src/policy/checkers/socket-address.ts'
import { closedPort } from '../../support/closed-port.ts'
import { SocketServer } from '../../support/socket-server.ts'

describe('a socket address', () => {
  it.each<[string, SocketAddress]>([
    ['tcp://scanner.example.com:3310', { host: 'scanner.example.com', port: 3310 }],
    ['tcp://127.0.0.1:1', { host: '127.0.0.1', port: 1 }],
    ['tcp://[::1]:65535', { host: '::1', port: 65535 }],
    ['unix:/run/clamav/clamd.ctl', { path: '/run/clamav/clamd.ctl' }],
  ])('%s is read', (text, address) => {
    expect(parseSocketAddress(text)).toEqual(address)
  })

  it.each(['tcp://::1:25', 'tcp://host', 'host:25'])('%s is refused', (text) => {
    expect(() => parseSocketAddress(text)).toThrow('Not a socket address')
  })
})

describe('a connection', () => {
  const servers: SocketServer[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close()
  })

  it.each([
    ['over IPv4', { host: '127.0.0.1' }],
    ['over IPv6', { host: '::1' }],
    ['over a UNIX socket', 'unix'],
  ] as const)('is made %s, and leaves nothing of the attempt behind', async (_how, where) => {
    const server = await SocketServer.start((socket) => socket.end('hello'), where)
    servers.push(server)
    const { signal } = new AbortController()
    const socket = await connectTo(parseSocketAddress(server.address), signal)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(['connect', 'error'].map((event) => socket.listenerCount(event))).toEqual([0, 0])
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).toBe('hello')
  })

  it('that is refused is an error', async () => {
    const port = await closedPort()
    const { signal } = new AbortController()
    await expect(connectTo({ host: '127.0.0.1', port }, signal)).rejects.toThrow('ECONNREFUSED')
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('to a socket that is not there is an error', async () => {
    const { signal } = new AbortController()
    await expect(connectTo({ path: '/nonexistent/socket' }, signal)).rejects.toThrow('ENOENT')
  })

  it.each([
    ['before', true],
    ['during', false],
  ])('ends with the reason of a signal that aborts %s the attempt', async (_when, before) => {
    const server = await SocketServer.start((socket) => socket.resume())
    servers.push(server)
    const controller = new AbortController()
    const reason = new Error('no time')
    if (before) controller.abort(reason)
    const connecting = connectTo(parseSocketAddress(server.address), controller.signal)
    controller.abort(reason)
    await expect(connecting).rejects.toBe(reason)
  })
})
