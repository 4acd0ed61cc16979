/** An HTTP server of a test's own: keeps what it was asked, and answers as the test says. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HttpQuestion {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

export class HttpServer {
  readonly questions: HttpQuestion[] = []
  readonly #server: Server

  static async start(
    answer: (response: ServerResponse, question: HttpQuestion) => void,
    host = '127.0.0.1',
  ): Promise<HttpServer> {
    const server = new HttpServer(answer)
    server.#server.listen(0, host)
    await once(server.#server, 'listening')
    return server
  }

  private constructor(answer: (response: ServerResponse, question: HttpQuestion) => void) {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      // A client that breaks off gets no answer.
      request.on('error', () => undefined).on('data', (chunk: Buffer) => chunks.push(chunk))
      await once(request, 'end')
      const { url = '', headers, rawHeaders } = request
      const question = { path: url, headers, rawHeaders, body: Buffer.concat(chunks) }
      this.questions.push(question)
      answer(response, question)
    })
  }

  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}

export const json =
  (value: unknown, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
  }
