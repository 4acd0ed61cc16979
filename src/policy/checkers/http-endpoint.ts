/**
 * An outside checker that is asked by POST, the body streamed. The answer may come while the body is still being sent: it
 * then ends the sending. No redirect is followed, no proxy used, and no connection kept: one that the server closes just
 * as it is used again would cost a message its verdict.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { untilWritable } from './until-writable.ts'

export interface PostOptions {
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: AsyncIterable<Buffer> | Buffer
  /** Of the answer's body. */
  readonly limitBytes: number
  readonly signal: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly body: Buffer
  /** Given before all of the request's body was sent. */
  readonly early: boolean
}

/** Remembers TLS sessions, so that a new connection to the same server costs little. */
export class HttpEndpoint {
  readonly #url: URL
  readonly #agent: HttpAgent | HttpsAgent

  constructor(url: URL) {
    this.#url = url
    this.#agent = url.protocol === 'https:' ? new HttpsAgent() : new HttpAgent()
  }

  /** Rejects where there was no whole answer. One with a status that means failure is an answer. */
  async post({ headers, body, limitBytes, signal }: PostOptions): Promise<HttpAnswer> {
    signal.throwIfAborted()
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest
    const request = send(this.#url, { method: 'POST', agent: this.#agent, headers: httpHeaders(headers) })
    // Not as an option of the request: that leaves its listener on the signal.
    const onAbort = (): void => void request.destroy()
    signal.addEventListener('abort', onAbort)
    try {
      const answer = answerOf(request, limitBytes).finally(() => request.destroy())
      const [answered, sent] = await Promise.allSettled([answer, sendBody(request, body)])
      signal.throwIfAborted()
      // The body could not be read: that the answer did not come follows from it.
      if (sent.status === 'rejected') throw sent.reason
      if (answered.status === 'rejected') throw answered.reason
      return { ...answered.value, early: !sent.value }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  close(): void {
    this.#agent.destroy()
  }
}

async function answerOf(
  request: ClientRequest,
  limitBytes: number,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve)
    // Stays, as the request may fail again when it is ended.
    request.on('error', reject)
    request.on('close', () => reject(new Error('closed the connection before it had answered')))
  })
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > limitBytes) throw new Error(`answered more than ${limitBytes} bytes`)
    chunks.push(chunk)
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks) }
}

/** Whether all of it was sent. */
async function sendBody(request: ClientRequest, body: PostOptions['body']): Promise<boolean> {
  if (Buffer.isBuffer(body)) {
    request.end(body)
    return true
  }
  try {
    for await (const chunk of body) {
      if (!request.write(chunk)) await untilWritable(request)
      if (request.destroyed) return false
    }
    request.end()
    return !request.destroyed
  } catch (error) {
    request.destroy()
    throw error
  }
}

/** What stands in a header is octets; text beyond ASCII goes as UTF-8, as RFC 6531 has it in SMTP. */
function httpHeaders(headers: PostOptions['headers']): Record<string, string | string[]> {
  const octets = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? octets(value) : value.map(octets),
    ]),
  )
}
