/** `/rules` of a running admin port. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ruleEndpoints } from '../../../src/admin/rules/rule-endpoints.ts'
import { createMetrics, type Metrics } from '../../../src/observe/metrics.ts'
import { InForce } from '../../../src/setup/in-force.ts'
import { type AdminPort, type Asked, startAdminPort } from '../../support/admin-port.ts'
import { plainFile, runSetup } from '../../support/running-setup.ts'

const yaml = `${plainFile}
policy:
  lists: { partners: [example.org] }
  rules:
    - name: Of the file
      activeFrom: 2027-01-31
      conditions: { messageSizeOver: 35MB }
      actions: { hold: too large }
`

let port: AdminPort
let metrics: Metrics
beforeEach(async () => {
  metrics = createMetrics()
  const running = await runSetup({ yaml })
  port = await startAdminPort({
    running,
    metrics,
    endpoints: ruleEndpoints({ setup: running.setup, metrics }),
  })
})
afterEach(() => port.stop())

const drops = (name: string, rest: object = {}) => ({ name, actions: { drop: true }, ...rest })
const path = (name: string) => `/rules/${encodeURIComponent(name)}`
const post = (rule: unknown, rest: object = {}) =>
  port.ask('/rules', { method: 'POST', body: { rule, ...rest } })
const put = (name: string, body: unknown) => port.ask(path(name), { method: 'PUT', body })
const patch = (name: string, body: unknown) => port.ask(path(name), { method: 'PATCH', body })
const remove = (name: string, query = '') => port.ask(path(name) + query, { method: 'DELETE' })
const places = async (): Promise<string[]> =>
  (await port.ask('/rules')).json.rules.map(
    ({ name, origin, place }: { name: string; origin: string; place: number }) =>
      `${origin} ${place} ${name}`,
  )

describe('the rules', () => {
  it('are shown as the file would have them, with how often they matched', async () => {
    const match = { event: 'rule', messageId: null, because: [], actions: [], severity: null } as const
    for (const mode of ['enforce', 'audit'] as const)
      metrics.count({ ...match, rule: 'Of the file', mode, from: '', recipients: [] })
    const { json } = await port.ask('/rules')
    expect(json).toEqual({
      orderVersion: null,
      rules: [
        {
          name: 'Of the file',
          origin: 'file',
          version: null,
          place: 1,
          enabled: true,
          mode: 'enforce',
          activeFrom: Date.UTC(2027, 0, 31),
          activeUntil: null,
          matched: 2,
          rule: {
            name: 'Of the file',
            enabled: true,
            mode: 'enforce',
            activeFrom: '2027-01-31T00:00:00Z',
            activeUntil: null,
            onError: 'defer',
            conditions: { messageSizeOver: 36700160 },
            exceptions: {},
            actions: { hold: 'too large' },
            stop: false,
          },
          createdAt: null,
          changedAt: null,
        },
      ],
    })
  })

  it('are added, replaced, moved, tried and removed', async () => {
    const made = await post(drops('Sales / EU'))
    expect(made.code).toBe(201)
    expect(made.json).toMatchObject({ name: 'Sales / EU', origin: 'api', version: 1, place: 1, warnings: [] })
    await post(drops('b'), { place: 1 })
    expect(await places()).toEqual(['file 1 Of the file', 'api 1 b', 'api 2 Sales / EU'])
    expect((await patch('Sales / EU', { version: 1, mode: 'test', place: 1 })).json).toMatchObject({
      mode: 'test',
      version: 2,
      place: 1,
    })
    expect((await port.ask('/rules')).json.orderVersion).toBe(3)
    expect((await put('b', { version: 1, rule: drops('c', { stop: true }) })).json).toMatchObject({
      name: 'c',
      place: 2,
      rule: { stop: true },
    })
    expect((await port.ask(path('b'))).code).toBe(404)
    expect((await remove('Sales / EU', '?version=2')).code).toBe(204)
    expect(await places()).toEqual(['file 1 Of the file', 'api 1 c'])
    expect(port.events.map((event) => event.event === 'configured' && `${event.act} ${event.what}`)).toEqual([
      'created rule',
      'created rule',
      'changed rule',
      'changed rule order',
      'changed rule',
      'removed rule',
    ])
    expect(new InForce(port.setup.current).rules.rules.map(({ name }) => name)).toEqual(['Of the file', 'c'])
  })

  it('are taken as they are shown, whatever is in them', async () => {
    const conditions = {
      senderIs: ['A@Example.com'],
      senderDomainIs: ['*.example.com', 'münchen.example'],
      recipientIn: ['partners'],
      clientNetworkIs: ['10.0.0.0/8', '::1'],
      headerMatches: [{ header: 'X-Spam', patterns: ['^yes'] }],
      messageSizeOver: '35MB',
      attachmentSizeOver: 17,
      sensitiveData: [{ type: 'iban' }, { type: 'custom', pattern: 'x+', minimumCount: 2 }],
    }
    const actions = {
      routeThrough: 29,
      requireTLS: true,
      setHeaders: [{ name: 'X-Seen', value: 'ja' }],
      disclaimer: { text: 'Confidential' },
      notify: { to: ['postmaster@example.com'] },
      audit: 'high',
    }
    const dates = { activeFrom: '2027-01-31', activeUntil: '2027-02-01T08:30:00+01:00' }
    const first = await post({ name: 'a', conditions, actions, ...dates, comment: 'why' })
    expect(first.code).toBe(201)
    const second = await put('a', { version: 1, rule: first.json.rule })
    expect(second.code).toBe(200)
    expect(second.json.rule).toEqual(first.json.rule)
  })

  it.each<[string, unknown, number, string | undefined, string]>([
    ['no rule', {}, 400, 'rule', 'rule is missing'],
    ['a list', { rule: [] }, 400, 'rule', 'rule must be an object'],
    ['an unknown field', { rule: drops('r'), position: 1 }, 400, 'position', 'There is no field position'],
    [
      'an unknown setting',
      { rule: drops('r', { when: 1 }) },
      400,
      'when',
      'There is no field when in a rule',
    ],
    ['a wrong setting', { rule: { name: 'r', actions: { drop: 1 } } }, 400, 'actions.drop', 'must be true'],
    [
      'a missing connector',
      { rule: { name: 'r', actions: { routeThrough: 'word' } } },
      400,
      'actions.routeThrough',
      'must be the id of a connector: there is no word',
    ],
    ['place 0', { rule: drops('r'), place: 0 }, 400, 'place', 'must be 1 or more'],
    ['a place too far', { rule: drops('r'), place: 3 }, 400, 'place', 'place must be 1 to 2'],
    ['a name that is taken', { rule: drops('there') }, 409, 'name', 'there is a rule there'],
    ['a name of the file', { rule: drops('Of the file') }, 409, 'name', 'there is a rule Of the file'],
    [
      'a body over its limit',
      { rule: drops('r', { comment: 'x'.repeat(300_000) }) },
      413,
      undefined,
      'too large',
    ],
  ])('are not added with %s', async (_, body, code, field, detail) => {
    await post(drops('there'))
    const answer = await port.ask('/rules', { method: 'POST', body })
    expect(answer).toMatchObject({ code, json: { detail: expect.stringContaining(detail) } })
    expect(answer.json.field).toBe(field)
    expect(await places()).toEqual(['file 1 Of the file', 'api 1 there'])
  })

  it.each<[string, () => ReturnType<typeof put>, number, string | undefined]>([
    ['without a version', () => put('there', { rule: drops('there') }), 400, 'version'],
    ['at another version', () => put('there', { version: 2, rule: drops('there') }), 409, 'version'],
    ['of the file', () => put('Of the file', { version: 1, rule: drops('x') }), 409, undefined],
    ['that is missing', () => put('x', { version: 1, rule: drops('x') }), 404, undefined],
    ['by one that is none', () => put('there', { version: 1, rule: { name: 'there' } }), 400, 'actions'],
    ['to another mode', () => patch('there', { version: 1, mode: 'off' }), 400, 'mode'],
    ['by a setting alone', () => patch('there', { version: 1, enabled: false }), 400, 'enabled'],
    ['of the file, in place', () => patch('Of the file', { version: 1, place: 1 }), 409, undefined],
    ['at another version, in place', () => patch('there', { version: 9, place: 1 }), 409, 'version'],
    ['of the file, away', () => remove('Of the file'), 409, undefined],
    ['that is missing, away', () => remove('x'), 404, undefined],
    ['at another version, away', () => remove('there', '?version=2'), 409, 'version'],
  ])('are not changed: %s', async (_, asked, code, field) => {
    await post(drops('there'))
    const before = (await port.ask('/rules')).text
    const answer = await asked()
    expect(answer.code).toBe(code)
    expect(answer.json.field).toBe(field)
    expect((await port.ask('/rules')).text).toBe(before)
  })

  it('need a token that may change them', async () => {
    const token = await port.tokenFor('operate')
    const asked: [string, Asked][] = [
      ['/rules', { method: 'POST', body: { rule: drops('r') } }],
      [path('r'), { method: 'PUT', body: { version: 1, rule: drops('r') } }],
      [path('r'), { method: 'PATCH', body: { version: 1, place: 1 } }],
      [path('r'), { method: 'DELETE' }],
    ]
    for (const [where, how] of asked) expect((await port.ask(where, { ...how, token })).code).toBe(403)
    expect((await port.ask('/rules', { token })).code).toBe(200)
    expect((await port.ask('/rules', { token: null })).code).toBe(401)
  })

  it('are not lost where two nodes add some at once', async () => {
    const other = await runSetup({ yaml, state: port.state })
    const endpoints = ruleEndpoints({ setup: other.setup, metrics })
    const second = await startAdminPort({ running: other, endpoints })
    const body = (name: string) => ({ method: 'POST', body: { rule: drops(name), place: 1 } })
    await Promise.all([port.ask('/rules', body('a')), second.ask('/rules', body('b'))])
    expect((await places()).sort()).toEqual(['api 1 b', 'api 2 a', 'file 1 Of the file'])
    await second.stop()
  })
})
