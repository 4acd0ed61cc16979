/** The answer to a question asked over a socket: text up to its terminator, whatever comes of the connection. */
import type { Socket } from 'node:net'

export interface AnswerOptions {
  /** Ends the answer; not part of it. */
  readonly terminator: string
  readonly limitBytes: number
  readonly signal: AbortSignal
}

/**
 * Rejects where the connection ends before, or the answer is too long, or the signal aborts: then with its reason. Listens
 * to the socket only until then; what came after the terminator is an error too, as nothing was asked that it could answer.
 */
export function readAnswer(socket: Socket, options: AnswerOptions): Promise<string> {
  const { terminator, limitBytes, signal } = options
  return new Promise((resolve, reject) => {
    let text = ''
    const settle = (then: () => void): void => {
      socket.off('data', onData).off('error', onError).off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      then()
    }
    const fail = (error: Error): void => settle(() => reject(error))
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      const end = text.indexOf(terminator)
      if (end === -1 && text.length > limitBytes) fail(new Error(`answered more than ${limitBytes} bytes`))
      else if (end !== -1 && end + terminator.length < text.length)
        fail(new Error('answered more than was asked'))
      else if (end !== -1) settle(() => resolve(Buffer.from(text.slice(0, end), 'latin1').toString('utf8')))
    }
    const onError = (error: Error): void => fail(error)
    const onClose = (): void => fail(new Error('closed the connection before it had answered'))
    const onAbort = (): void => fail(signal.reason)
    if (signal.aborted) return onAbort()
    if (socket.destroyed) return onClose()
    socket.on('data', onData).on('error', onError).on('close', onClose)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
