/** A TCP proxy on loopback that can lose an answer: the request arrives, the connection breaks before the reply. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class CuttingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** How many answers to let through before one is lost; null where none is to be lost. */
  #losing: number | null = null
  #refuse = false

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(port: number): Promise<CuttingProxy> {
    const server = createServer()
    const proxy = new CuttingProxy(server)
    server.on('connection', (client) => proxy.#join(client, connect(port, '127.0.0.1')))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /**
   * The next answer, or the one after as many as `answered`, is lost, and every connection with it; `refuse` breaks
   * new ones too, until `restore`.
   */
  loseReply(options: { answered?: number; refuse?: boolean } = {}): void {
    this.#losing = options.answered ?? 0
    this.#refuse = options.refuse ?? false
  }

  restore(): void {
    this.#losing = null
    this.#refuse = false
  }

  /** Whether the answer that was to be lost has come and is lost. */
  get lost(): boolean {
    return this.#losing === null
  }

  async close(): Promise<void> {
    this.#cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    if (this.#refuse && this.lost) client.destroy()
    client.on('data', (bytes) => server.write(bytes))
    server.on('data', (bytes) => {
      if (this.#losing !== 0) {
        if (this.#losing !== null) this.#losing -= 1
        client.write(bytes)
      } else {
        this.#losing = null
        this.#cut()
      }
    })
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
