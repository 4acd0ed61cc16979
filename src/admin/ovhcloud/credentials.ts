/**
 * Who asks, in OVHcloud's way or in ours: with an application key (the id of a token), a consumer key (the token itself)
 * and a signature made with the application secret; or with the token alone, as `Authorization: Bearer`. A session's
 * cookie is not enough: nothing here can be asked by a form of some other web page.
 */
import type { FastifyRequest } from 'fastify'
import type { Clock } from '../../clock.ts'
import type { Log } from '../../observe/log.ts'
import { SetupRefused } from '../../setup/plan.ts'
import type { Setup } from '../../setup/setup.ts'
import { applicationSecretContext, type Scope, type Token, tokenIdOf } from '../../setup/token.ts'
import { SecretUnreadable } from '../../state/secrets.ts'
import type { AccessGate } from '../access/gate.ts'
import { Refused } from '../problem.ts'
import { OvhcloudError } from './ovhcloud-error.ts'
import { Replays } from './replays.ts'
import { isSigned, timestampOf } from './signature.ts'

export interface CredentialsOptions {
  readonly gate: Pick<AccessGate, 'admit' | 'admitToken' | 'count'>
  readonly setup: Pick<Setup, 'current' | 'unseal'>
  readonly clock: Clock
  readonly log: Log
}

/** What the signature is checked with when the body has come. */
interface Application {
  readonly secret: string
  readonly consumerKey: string
  readonly signedAt: number
}

export class Credentials {
  readonly #options: CredentialsOptions
  readonly #replays: Replays
  readonly #holders = new WeakMap<FastifyRequest, string>()
  readonly #applications = new WeakMap<FastifyRequest, Application>()

  constructor(options: CredentialsOptions) {
    this.#options = options
    this.#replays = new Replays(options.clock)
  }

  /** Before the body is read. Rejects where whoever asks may not. */
  async admit(request: FastifyRequest, scope: Scope): Promise<void> {
    if (request.headers.authorization !== undefined)
      this.#holders.set(request, await this.#options.gate.admit(request, scope))
    else this.#holders.set(request, await this.#admitApplication(request, scope))
  }

  /** Throws where the request is signed, and not rightly or once more. */
  verify(request: FastifyRequest, body: Buffer): void {
    const application = this.#applications.get(request)
    if (application === undefined) return
    const { secret, consumerKey, signedAt } = application
    const { method, url: target = '', headers } = request.raw
    const signature = field(request, 'x-ovh-signature') ?? ''
    const timestamp = field(request, 'x-ovh-timestamp') ?? ''
    const hosts = [headers.host ?? '', ...(field(request, 'x-forwarded-host')?.split(/ *, */, 1) ?? [])]
    const signed = { method: method ?? '', target, hosts, body, consumerKey, timestamp }
    if (!isSigned(signature, signed, secret)) throw badSignature('Invalid signature')
    if (method !== 'GET' && this.#replays.isReplay(signature, { signedAt }))
      throw badSignature('This query was carried out already: sign it anew')
  }

  /** Of a request that was admitted. */
  holderOf(request: FastifyRequest): string {
    return this.#holders.get(request) ?? ''
  }

  async #admitApplication(request: FastifyRequest, scope: Scope): Promise<string> {
    const { gate, clock } = this.#options
    const applicationKey = field(request, 'x-ovh-application')
    const consumerKey = field(request, 'x-ovh-consumer')
    const token = this.#options.setup.current.tokens.find(({ id }) => id === applicationKey)
    const secret = token === undefined ? null : this.#secretOf(token)
    if (secret === null || consumerKey === undefined) gate.count(request)
    if (applicationKey === undefined) throw loginMissing()
    if (secret === null) throw forbidden('INVALID_KEY', 'This application key is invalid')
    if (consumerKey === undefined) throw loginMissing()
    const signedAt = timestampOf(field(request, 'x-ovh-timestamp'), { now: clock.now() })
    const holder = await this.#admitConsumer(request, { presented: consumerKey, scope })
    if (tokenIdOf(consumerKey) !== applicationKey) throw notCredential()
    if (signedAt === null) throw new OvhcloudError(400, 'Query out of time', { errorCode: 'QUERY_TIME_OUT' })
    this.#applications.set(request, { secret, consumerKey, signedAt })
    return holder
  }

  async #admitConsumer(
    request: FastifyRequest,
    consumer: { readonly presented: string; readonly scope: Scope },
  ): Promise<string> {
    try {
      return await this.#options.gate.admitToken(request, consumer)
    } catch (error) {
      throw error instanceof Refused && error.status === 401 ? notCredential() : error
    }
  }

  #secretOf({ id, applicationSecret }: Token): string | null {
    const { setup, log } = this.#options
    if (applicationSecret === undefined) return null
    try {
      return setup.unseal(applicationSecret, applicationSecretContext(id))
    } catch (error) {
      if (!(error instanceof SecretUnreadable || error instanceof SetupRefused)) throw error
      log.error({ token: id, why: error.message }, 'the application secret of a token cannot be read')
      return null
    }
  }
}

function field({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

const forbidden = (errorCode: 'INVALID_KEY' | 'NOT_CREDENTIAL', message: string): OvhcloudError =>
  new OvhcloudError(403, message, { errorCode })

const notCredential = (): OvhcloudError => forbidden('NOT_CREDENTIAL', 'This credential does not exist')

const loginMissing = (): OvhcloudError =>
  new OvhcloudError(401, 'You must login first', { errorCode: 'NOT_CREDENTIAL' })

const badSignature = (message: string): OvhcloudError =>
  new OvhcloudError(400, message, { errorCode: 'INVALID_SIGNATURE' })
