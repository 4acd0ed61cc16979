/** OVHcloud's API on a real admin port, asked with a token or by signature. */
import { createHash } from 'node:crypto'
import { afterEach } from 'vitest'
import { type AdminPort, type Answered, type Asked, startAdminPort } from '../../support/admin-port.ts'
import { runSetup } from '../../support/running-setup.ts'

export const service = '/email/exchange/private-zz111111-1/service/private-zz111111-1'

const started: AdminPort[] = []
afterEach(async () => {
  for (const port of started.splice(0)) await port.stop()
})

export interface Application {
  readonly applicationKey: string
  readonly applicationSecret: string
  readonly consumerKey: string
}

export class OvhcloudPort {
  readonly port: AdminPort

  static async start(yaml?: string): Promise<OvhcloudPort> {
    const running = await runSetup(yaml === undefined ? {} : { yaml })
    const port = await startAdminPort({ running })
    started.push(port)
    return new OvhcloudPort(port)
  }

  private constructor(port: AdminPort) {
    this.port = port
  }

  ask(method: string, path: string, body?: unknown): Promise<Answered> {
    return this.port.ask(service + path, { method, body })
  }

  /** What is answered; throws where it is not 200. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  async get(path: string): Promise<any> {
    return this.expect('GET', path)
  }

  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  async expect(method: string, path: string, body?: unknown): Promise<any> {
    const { code, json, text } = await this.ask(method, path, body)
    if (code !== 200) throw new Error(`${method} ${path}: ${code} ${text}`)
    return json
  }

  /** `400 Client::BadRequest port: port must be …` */
  async refusal(method: string, path: string, body?: unknown): Promise<string> {
    const { code, json } = await this.ask(method, path, body)
    return `${code} ${json?.class} ${json?.details?.field ?? '-'}: ${json?.message}`
  }

  async application(scope = 'admin'): Promise<Application> {
    const body = { name: `Terraform ${scope}`, scopes: [scope], ovhcloud: true }
    return (await this.port.ask('/tokens', { method: 'POST', body })).json.ovhcloud
  }

  /** Signed by OVHcloud's rules, now by the relay's clock; `change` is what is sent instead of that. */
  signed(
    application: Application,
    {
      method = 'GET',
      path,
      body = '',
      at = this.port.clock.now(),
    }: { method?: string; path: string; body?: string; at?: number },
    change: Asked = {},
  ): Promise<Answered> {
    const { applicationKey, applicationSecret, consumerKey } = application
    const timestamp = String(Math.floor(at / 1000))
    const url = `https://127.0.0.1${path}`
    const text = [applicationSecret, consumerKey, method, url, body, timestamp].join('+')
    return this.port.ask(path, {
      method,
      token: null,
      ...(body !== '' && { body }),
      ...change,
      headers: {
        'x-ovh-application': applicationKey,
        'x-ovh-consumer': consumerKey,
        'x-ovh-timestamp': timestamp,
        'x-ovh-signature': `$1$${createHash('sha1').update(text).digest('hex')}`,
        ...change.headers,
      },
    })
  }
}
