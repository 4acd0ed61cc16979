/**
 * Every path that a running relay answers, by its own list and OVHcloud's, asked by everybody who has too little: nobody
 * gets further than the refusal, however the path is spelled.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeEach, expect, it } from 'vitest'
import type { OpenApiDocument } from '../../src/admin/openapi.ts'
import { accountCalls } from '../../src/admin/ovhcloud/account-calls.ts'
import { domainCalls } from '../../src/admin/ovhcloud/domain-calls.ts'
import { sendConnectorCalls } from '../../src/admin/ovhcloud/send-connector-calls.ts'
import type { Service } from '../../src/admin/ovhcloud/service.ts'
import { taskCalls } from '../../src/admin/ovhcloud/task-calls.ts'
import { type Scope, scopes } from '../../src/setup/token.ts'
import { type Answered, type Asked, ask } from '../support/admin-port.ts'
import { startRelay } from '../support/end-to-end.ts'
import type { RelayProcess } from '../support/relay-process.ts'

interface Way {
  readonly method: string
  readonly path: string
  readonly scope: Scope | null
}

const open = [
  'GET /healthz',
  'GET /readyz',
  'GET /metrics',
  'POST /session',
  'GET /session',
  'DELETE /session',
  'GET /openapi.json',
  'GET /reference',
  'GET /reference.css',
]

let relay: RelayProcess
let ways: readonly Way[]
const tokens = new Map<Scope, string>()

beforeEach(async () => {
  relay = await startRelay({ sandbox: { port: 0 }, tracking: { enabled: true } })
  for (const scope of scopes)
    tokens.set(scope, (await relay.ask('POST', '/tokens', { name: scope, scopes: [scope] })).json.token)
  const document: OpenApiDocument = (await relay.ask('GET', '/openapi.json')).json
  ways = [...ofOurs(document), ...ofOvhcloud()]
})

function ofOurs({ paths }: OpenApiDocument): Way[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { 'x-scope': scope }]) => ({
      method: method.toUpperCase(),
      path: path.replace(/\{\w+\}/g, '1'),
      scope: scope as Scope | null,
    })),
  )
}

function ofOvhcloud(): Way[] {
  const nothing = {} as Service
  const calls = [sendConnectorCalls, accountCalls, domainCalls, taskCalls].flatMap((all) => all(nothing))
  return ['', '/1.0', '/v1'].flatMap((version) =>
    calls.map(({ method, path }) => ({
      method,
      path: `${version}/email/exchange/here/service/here${path.replace(/:\w+/g, '1')}`,
      scope: method === 'GET' ? ('read' as const) : ('admin' as const),
    })),
  )
}

/** As often as it takes: so many requests at once are refused for their number. */
async function answer(path: string, asked: Asked): Promise<Answered> {
  for (;;) {
    const answered = await ask(relay.adminUrl + path, asked)
    if (answered.code !== 429) return answered
    await pause(1000)
  }
}

const guarded = () => ways.filter(({ scope }) => scope !== null)

it('are open to anybody only where it is meant', () => {
  const isOpen = ({ scope }: Way) => scope === null
  expect(
    ways
      .filter(isOpen)
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
  ).toEqual(open.sort())
  expect(guarded().length).toBeGreaterThan(90)
})

it('refuse whoever has no token, and whose scope is too small', { timeout: 60_000 }, async () => {
  const passed: string[] = []
  const expected: string[] = []
  for (const { method, path, scope } of guarded()) {
    const who: [string, string | null][] = [['nobody', null], ...tokens]
    for (const [name, token] of who) {
      const { code } = await answer(path, { method, token })
      const may = token !== null && scopes.indexOf(name as Scope) >= scopes.indexOf(scope!)
      const told = code === 401 || code === 403 ? code : 'passed'
      passed.push(`${method} ${path} ${name} ${told}`)
      expected.push(`${method} ${path} ${name} ${may ? 'passed' : token === null ? 401 : 403}`)
    }
  }
  expect(passed).toEqual(expected)
})

it('show nothing in another spelling, or to another method', { timeout: 60_000 }, async () => {
  const shown: string[] = []
  for (const { method, path } of guarded()) {
    const encoded = `/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`
    const spellings = [`${path}/`, `/${path}`, `${path};x`, `${path}%00`, `/.${path}`, `/x/..${path}`]
    const others: [string, string][] = [
      ...[...spellings, encoded, path.toUpperCase(), `${path}?x=1`].map((other): [string, string] => [
        method,
        other,
      ]),
      ...['HEAD', 'OPTIONS', 'PROPFIND', 'TRACE'].map((other): [string, string] => [other, path]),
    ]
    for (const [how, other] of others) {
      const { code, headers } = await answer(other, { method: how, token: null })
      if (code < 400 || code >= 500 || headers['access-control-allow-origin'] !== undefined)
        shown.push(`${how} ${other} ${code}`)
    }
  }
  expect(shown).toEqual([])
})
