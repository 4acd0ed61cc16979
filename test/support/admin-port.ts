/**
 * An admin port over a real setup, with whatever endpoints a test wants to ask. Requests go by node:http, because
 * fetch sets the Host field itself and hides what it was answered.
 */
import { EventEmitter, on } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Admin, type AdminOptions, startAdmin } from '../../src/admin/server.ts'
import { createLog } from '../../src/observe/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import type { Scope } from '../../src/setup/token.ts'
import { type RunningSetup, runSetup } from './running-setup.ts'

/** Of the machine: good for everything. */
export const localToken = 'A'.repeat(43)

export interface Asked {
  readonly method?: string
  /** Null: none is sent; the local one, unless it says otherwise. */
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** As JSON, unless it is text or bytes: then as it is, under the type among the headers. */
  readonly body?: unknown
  /** To trust, where the port speaks TLS. */
  readonly ca?: string
}

export interface Answered {
  readonly code: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  readonly json: any
}

export interface AdminPort extends RunningSetup {
  readonly admin: Admin
  readonly url: string
  /** Its log, so far. */
  logged(): string
  /** Resolves with the first line from now on that says so. */
  logLine(part: string): Promise<string>
  ask(path: string, asked?: Asked): Promise<Answered>
  /** A new token of that scope. */
  tokenFor(scope: Scope): Promise<string>
  stop(): Promise<void>
}

export async function startAdminPort(
  change: Partial<AdminOptions> & { readonly running?: RunningSetup } = {},
): Promise<AdminPort> {
  const running = change.running ?? (await runSetup())
  let logged = ''
  const written = new EventEmitter()
  const write = (line: string) => {
    logged += line
    written.emit('line', line)
  }
  const config = { address: '127.0.0.1', port: 0, certificate: null, ...change.config }
  const admin = await startAdmin({
    metrics: createMetrics(),
    log: createLog({ level: 'info', destination: { write } }),
    clock: running.clock,
    readiness: () => ({ ready: true, checks: [] }),
    queue: { totals: async () => ({ connectors: new Map(), items: 0, bytes: 0, corrupt: 0 }) },
    connectors: () => [],
    setup: running.setup,
    localToken,
    endpoints: [],
    // Whether dist/ has a page is not what these tests are about.
    pageDir: join(tmpdir(), 'no-page-is-built-here'),
    ...change,
    config,
  }).catch(async (error: unknown) => {
    await running.close()
    throw error
  })
  const url = `${config.certificate === null ? 'http' : 'https'}://127.0.0.1:${admin.port}`
  const askHere = (path: string, asked: Asked = {}) => ask(url + path, asked)
  return {
    ...running,
    admin,
    url,
    logged: () => logged,
    async logLine(part) {
      for await (const [line] of on(written, 'line', { signal: AbortSignal.timeout(10_000) }))
        if (line.includes(part)) return line
    },
    ask: askHere,
    async tokenFor(scope) {
      const body = { name: `for ${scope}`, scopes: [scope], expiresAt: null }
      return (await askHere('/tokens', { method: 'POST', body })).json.token
    },
    async stop() {
      await admin.stop()
      await running.close()
    },
  }
}

export async function ask(url: string, asked: Asked = {}): Promise<Answered> {
  const { token = localToken, body, ca } = asked
  const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  const sent = {
    method: asked.method ?? 'GET',
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(!isRaw && { 'content-type': 'application/json' }),
      ...asked.headers,
    },
    ...(ca !== undefined && { ca, checkServerIdentity: () => undefined }),
    agent: false as const,
  }
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? httpsRequest(url, sent) : httpRequest(url, sent)
    request.on('error', reject)
    request.on('response', async (response) => {
      const content = await text(response)
      const type = String(response.headers['content-type'])
      const json = /^application\/(problem\+)?json/.test(type) && content !== '' ? JSON.parse(content) : null
      resolve({ code: response.statusCode!, headers: response.headers, text: content, json })
    })
    request.end(isRaw ? body : JSON.stringify(body))
  })
}
