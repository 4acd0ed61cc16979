/**
 * Connections to an outside checker that are used again, one question at a time on each. A kept one that fails is no
 * news of the checker: it may have closed it for having been idle. So the question is then asked again.
 */
import type { Socket } from 'node:net'
import { connectTo, type SocketAddress } from './socket-address.ts'

/** Postfix's policy servers close after 100 seconds and more; whoever closes first spares the other a lost question. */
const longestIdleMs = 60_000

export class KeptConnections {
  readonly #address: SocketAddress
  /** With what ends each of them while it is idle. */
  readonly #idle = new Map<Socket, () => void>()
  #closed = false

  constructor(address: SocketAddress) {
    this.#address = address
  }

  /** Rejects as `exchange` does on a new connection, or because there is none to be had. */
  async ask<Answer>(exchange: (socket: Socket) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    for (;;) {
      const kept = this.#take()
      const socket = kept ?? (await connectTo(this.#address, signal))
      // From here on, whatever breaks it: who is asking hears of it, and nobody else has to.
      if (kept === undefined) socket.on('error', () => undefined)
      try {
        const answer = await exchange(socket)
        this.#keep(socket)
        return answer
      } catch (error) {
        socket.destroy()
        if (kept === undefined || signal.aborted) throw error
      }
    }
  }

  close(): void {
    this.#closed = true
    for (const socket of this.#idle.keys()) socket.destroy()
  }

  /** The last one kept, so that those that are not needed grow old. */
  #take(): Socket | undefined {
    const [socket, drop] = [...this.#idle].at(-1) ?? []
    if (socket === undefined || drop === undefined) return undefined
    this.#idle.delete(socket)
    return socket.off('close', drop).off('data', drop).off('timeout', drop).setTimeout(0)
  }

  #keep(socket: Socket): void {
    if (this.#closed || socket.destroyed) {
      socket.destroy()
      return
    }
    const drop = (): void => {
      this.#idle.delete(socket)
      socket.destroy()
    }
    this.#idle.set(socket, drop)
    // Nothing was asked, so nothing may come.
    socket.on('close', drop).on('data', drop).on('timeout', drop).setTimeout(longestIdleMs)
  }
}
