/**
 * OVHcloud's API for the connectors of an Exchange service, at its own paths: its published clients and scripts work
 * unchanged when they are pointed here. Errors have OVHcloud's body, and each answer has the id of its query.
 */
import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { printable } from '../../reply.ts'
import type { Setup } from '../../setup/setup.ts'
import { accountCalls } from './account-calls.ts'
import { addCall, answered } from './call.ts'
import { Changes } from './changes.ts'
import { Credentials, type CredentialsOptions } from './credentials.ts'
import { domainCalls } from './domain-calls.ts'
import { fail, OvhcloudError, ovhcloudErrorOf } from './ovhcloud-error.ts'
import { sendConnectorCalls } from './send-connector-calls.ts'
import { taskCalls } from './task-calls.ts'

export interface OvhcloudOptions extends CredentialsOptions {
  readonly setup: Pick<Setup, 'current' | 'apply' | 'unseal'>
}

/** `/v1` is what OVHcloud calls `/1.0` now. */
const versions = ['/1.0', '/v1', ''] as const

/** Adds the routes in scopes of their own, which leave all others as they are. */
export function addOvhcloud(server: FastifyInstance, options: OvhcloudOptions): void {
  const { setup, clock } = options
  const credentials = new Credentials(options)
  const service = { setup, clock, changes: new Changes(setup), since: clock.now() }
  const calls = [
    ...sendConnectorCalls(service),
    ...accountCalls(service),
    ...domainCalls(service),
    ...taskCalls(service),
  ]
  for (const version of versions)
    server.register(
      async (scope) => {
        answerAsOvhcloud(scope, options)
        scope.get('/auth/time', async (request, reply) => {
          options.gate.count(request)
          return answered(reply, Math.floor(clock.now() / 1000))
        })
        for (const each of calls) addCall(scope, each, credentials)
        // Without a version the other paths are those of our own API.
        if (version !== '') addNothing(scope, options)
      },
      { prefix: version },
    )
}

function answerAsOvhcloud(scope: FastifyInstance, { log }: OvhcloudOptions): void {
  const ids = new WeakMap<FastifyRequest, string>()
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  scope.addHook('onRequest', async (request, reply) => {
    const id = `RELAY.${randomBytes(4).toString('hex')}.${randomBytes(4).toString('hex')}`
    ids.set(request, id)
    reply.header('x-ovh-queryid', id)
  })
  scope.setErrorHandler((error, request, reply) => {
    const queryId = ids.get(request) ?? ''
    const told = ovhcloudErrorOf(error)
    if (told !== null) return fail(reply, told, queryId)
    log.error({ err: error, url: printable(request.url), queryId }, 'The admin port could not answer')
    return fail(reply, new OvhcloudError(500, 'Internal error; the log has the rest'), queryId)
  })
}

/** Whatever else is asked for, before a body is read. */
function addNothing(scope: FastifyInstance, { gate }: OvhcloudOptions): void {
  const onRequest = async (request: FastifyRequest): Promise<never> => {
    gate.count(request)
    throw new OvhcloudError(404, 'Got an invalid (or empty) URL', { errorCode: 'INVALID_URL' })
  }
  scope.all('/*', { onRequest }, () => null)
}
