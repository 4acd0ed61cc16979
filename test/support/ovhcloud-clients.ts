/** Two ways to call OVHcloud's API on a relay: npm `ovh`, which signs, and curl with a token. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface OvhcloudClient {
  /** What is answered. Rejects with `OvhcloudRefused`. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  call(method: string, path: string, parameters?: object): Promise<any>
  stop(): Promise<void>
}

export class OvhcloudRefused extends Error {
  constructor(code: number, message: string) {
    super(`${code} ${message}`)
  }
}

export interface ClientOptions {
  /** Of an admin port with TLS. */
  readonly port: number
  /** File with the certificates to trust. */
  readonly caFile: string
  readonly applicationKey: string
  readonly applicationSecret: string
  readonly consumerKey: string
}

const program = fileURLToPath(new URL('ovh-client.mjs', import.meta.url))

export function npmOvh({ port, caFile, ...keys }: ClientOptions): OvhcloudClient {
  const settings = {
    appKey: keys.applicationKey,
    appSecret: keys.applicationSecret,
    consumerKey: keys.consumerKey,
    host: '127.0.0.1',
    port,
    basePath: '/1.0',
  }
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH ?? '', NODE_EXTRA_CA_CERTS: caFile, OVH_CLIENT: JSON.stringify(settings) },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async call(method, path, parameters = {}) {
      child.stdin.write(`${JSON.stringify([method, path, parameters])}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('The client has ended')
      const { resolved, rejected } = JSON.parse(value)
      if (rejected === undefined) return resolved
      throw new OvhcloudRefused(rejected.error, rejected.message)
    },
    async stop() {
      const exited = once(child, 'close')
      child.stdin.end()
      await exited
    },
  }
}

export function curl({ port, caFile, consumerKey }: ClientOptions): OvhcloudClient {
  return {
    async call(method, path, parameters) {
      const { stdout } = await promisify(execFile)('curl', [
        ...['--silent', '--show-error', '--cacert', caFile, '--request', method],
        ...['--header', `Authorization: Bearer ${consumerKey}`, '--write-out', '\n%{http_code}'],
        ...(parameters === undefined ? [] : ['--data', JSON.stringify(parameters)]),
        `https://127.0.0.1:${port}/v1${path}`,
      ])
      const end = stdout.lastIndexOf('\n')
      const code = Number(stdout.slice(end + 1))
      const answer = JSON.parse(stdout.slice(0, end))
      if (code === 200) return answer
      throw new OvhcloudRefused(code, answer.message)
    },
    stop: async () => {},
  }
}
