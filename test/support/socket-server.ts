/** A server of a test's own on a loopback port or a UNIX socket; what each connection does is the test's to say. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class SocketServer {
  readonly sockets: Socket[] = []
  readonly #server: Server
  #directory: string | null = null

  static async start(
    connection: (socket: Socket) => void,
    where: { host: string } | 'unix' = { host: '127.0.0.1' },
  ): Promise<SocketServer> {
    const server = new SocketServer(connection)
    if (where === 'unix') {
      server.#directory = await mkdtemp(join(tmpdir(), 'socket-test-'))
      server.#server.listen(join(server.#directory, 'socket'))
    } else server.#server.listen(0, where.host)
    await once(server.#server, 'listening')
    return server
  }

  private constructor(connection: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.sockets.push(socket)
      // Clients that break off are among the things under test.
      socket.on('error', () => undefined)
      connection(socket)
    })
  }

  /** As the configuration has it. */
  get address(): string {
    const address = this.#server.address() as AddressInfo | string
    if (typeof address === 'string') return `unix:${address}`
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `tcp://${host}:${address.port}`
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resolves when the nth connection, from 0, is over. */
  async over(n = 0): Promise<void> {
    const socket = this.sockets[n]
    if (socket === undefined) throw new Error(`There was no connection ${n}`)
    socket.resume()
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
    if (this.#directory !== null) await rm(this.#directory, { recursive: true, force: true })
  }
}
