/** Where an outside checker listens, `tcp://HOST:PORT` or `unix:/PATH` (policy-schema.ts), and a connection to it. */
import { connect, type Socket } from 'node:net'

export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number }

/** The text was checked by the schema; an IPv6 address stands in brackets there. */
export function parseSocketAddress(text: string): SocketAddress {
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) }
  const match = /^tcp:\/\/(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  if (match === null) throw new Error(`Not a socket address: ${text}`)
  return { host: match[1] ?? match[2]!, port: Number(match[3]) }
}

/**
 * Connects, or rejects with why not; with the signal's reason once it aborts. The signal ends the attempt only: what
 * becomes of the connection, also its errors, is the caller's from then on.
 */
export function connectTo(address: SocketAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    // Each question leaves in one write or in large ones: waiting to fill a segment could only delay it.
    const socket = connect({ ...address, noDelay: true })
    const settle = (then: () => void): void => {
      socket.off('connect', onConnect).off('error', onError)
      signal.removeEventListener('abort', onAbort)
      then()
    }
    const onConnect = (): void => settle(() => resolve(socket))
    const onError = (error: Error): void => settle(() => reject(error))
    const onAbort = (): void => {
      settle(() => reject(signal.reason))
      // What the connection still has to say, nobody waits for.
      socket.on('error', () => undefined).destroy()
    }
    socket.on('connect', onConnect).on('error', onError)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
