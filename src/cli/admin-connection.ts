/**
 * Requests to the admin port, by HTTP or TLS. Not by fetch: that cannot be told which certificate to trust. Redirects
 * are not followed, as the token must go nowhere else.
 */
import { X509Certificate } from 'node:crypto'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { ConnectionOptions } from 'node:tls'

/** Whose certificate is believed. */
export type Trust =
  | { readonly kind: 'system' }
  /** Of these authorities alone; PEM. */
  | { readonly kind: 'authorities'; readonly ca: string }
  /** This certificate alone, whatever name it is for; PEM, the first of the file. */
  | { readonly kind: 'pinned'; readonly cert: string }

export interface AdminRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Until the answer begins, and again until a JSON answer ends. */
  readonly timeoutMs: number
}

export class AdminConnection {
  readonly #url: string
  readonly #agent: HttpAgent | HttpsAgent

  constructor(url: string, trust: Trust = { kind: 'system' }) {
    this.#url = url
    const isTls = url.startsWith('https:')
    this.#agent = isTls
      ? new HttpsAgent({ keepAlive: true, ...tlsOptions(trust) })
      : new HttpAgent({ keepAlive: true })
  }

  /** Rejects with the system's error, or `TimeoutError`. What of the answer is not read must be destroyed. */
  send(
    path: string,
    { method = 'GET', headers = {}, body, timeoutMs }: AdminRequest,
  ): Promise<IncomingMessage> {
    const open = this.#agent instanceof HttpsAgent ? httpsRequest : httpRequest
    return new Promise((resolve, reject) => {
      const request = open(this.#url + path, {
        method,
        agent: this.#agent,
        headers: { ...headers, ...lengthOf(body) },
      })
      const timer = setTimeout(() => request.destroy(new TimeoutError(timeoutMs)), timeoutMs)
      request.once('close', () => clearTimeout(timer))
      request.on('error', reject)
      request.once('response', (response) => {
        clearTimeout(timer)
        resolve(response)
      })
      request.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

export class TimeoutError extends Error {
  override name = 'TimeoutError'

  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1000} seconds`)
  }
}

/** The whole body as text; too late, it is an error too. */
export async function textOf(
  response: IncomingMessage,
  { timeoutMs }: { timeoutMs: number },
): Promise<string> {
  const timer = setTimeout(() => response.destroy(new TimeoutError(timeoutMs)), timeoutMs)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  } finally {
    clearTimeout(timer)
  }
}

const lengthOf = (body: string | Buffer | undefined): Record<string, number> =>
  body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }

function tlsOptions(trust: Trust): ConnectionOptions & { allowPartialTrustChain?: boolean } {
  const minVersion = 'TLSv1.2'
  switch (trust.kind) {
    case 'system':
      return { minVersion }
    case 'authorities':
      return { minVersion, ca: trust.ca }
    case 'pinned': {
      const { fingerprint256 } = new X509Certificate(trust.cert)
      return {
        minVersion,
        ca: trust.cert,
        // As a rule another issued it, whom nothing else makes trustworthy here.
        allowPartialTrustChain: true,
        checkServerIdentity: (host, shown) =>
          shown.fingerprint256 === fingerprint256 ? undefined : otherCertificate(host),
      }
    }
  }
}

const otherCertificate = (host: string): Error =>
  new Error(`${host} shows another certificate than that of the configuration`)
