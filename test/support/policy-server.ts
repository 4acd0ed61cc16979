/** A policy server of a test's own, for Postfix's policy delegation: it keeps what it was asked, and answers as the test says. */
import { SocketServer } from './socket-server.ts'

export type PolicyRequest = Readonly<Record<string, string>>

export class PolicyServer {
  readonly requests: PolicyRequest[] = []
  readonly #server: SocketServer

  /** `answer` is an action of an access table. */
  static async start(answer: (request: PolicyRequest) => string): Promise<PolicyServer> {
    const requests: PolicyRequest[] = []
    const server = await SocketServer.start((socket) => {
      let text = ''
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
        for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
          const request = parse(text.slice(0, end))
          text = text.slice(end + 2)
          requests.push(request)
          socket.write(`action=${answer(request)}\n\n`)
        }
      })
    })
    return new PolicyServer(server, requests)
  }

  private constructor(server: SocketServer, requests: PolicyRequest[]) {
    this.#server = server
    this.requests = requests
  }

  get address(): string {
    return this.#server.address
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}

function parse(text: string): PolicyRequest {
  return Object.fromEntries(
    text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}
