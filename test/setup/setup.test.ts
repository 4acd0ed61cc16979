import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compileRules } from '../../src/policy/rules/evaluate.ts'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import { route } from '../../src/route/route.ts'
import { connectorSecret } from '../../src/setup/connector-object.ts'
import { removeConnector } from '../../src/setup/connector-plans.ts'
import { bindingsOf, type CurrentSetup } from '../../src/setup/current.ts'
import { carriedBy, InForce } from '../../src/setup/in-force.ts'
import type { Planning } from '../../src/setup/plan.ts'
import { type Plan, SetupRefused } from '../../src/setup/plan.ts'
import { planBind } from '../../src/setup/sender-plans.ts'
import { parseSecretKey, SecretBox } from '../../src/state/secrets.ts'
import { type StateChange, StateConflict, type StateStore } from '../../src/state/state.ts'
import { plainFile, type RunningSetup, runSetup } from '../support/running-setup.ts'

const opened: RunningSetup[] = []
async function open(options: Parameters<typeof runSetup>[0] = {}): Promise<RunningSetup> {
  const running = await runSetup(options)
  opened.unshift(running)
  return running
}
afterEach(async () => {
  for (const running of opened.splice(0)) await running.close()
})

const planOf =
  (...changes: StateChange[]) =>
  (): Plan => ({ changes, audit: [] })

const created = (kind: string, id: string, value: object): StateChange => ({
  kind,
  id,
  expected: null,
  value,
})

const connector = (id: string, settings: object, password: unknown = null) =>
  created('connector', id, { settings, password, clientKey: null, createdAt: 1 })
const sender = (id: string, to: string | null) => created('sender', id, { connector: to, createdAt: 1 })
const rule = (name: string, settings: object) => created('rule', name, { rule: settings, createdAt: 1 })

const settings30 = { name: 'Thirty', addressSpaces: ['example.org'], smartHosts: ['192.0.2.30'] }
const drops = { actions: { drop: true } }

const wayOf = (current: CurrentSetup, from: string, to: string) =>
  route(new InForce(current).routes, { sender: from, recipient: to, sizeBytes: 1000 })

describe('what is configured', () => {
  it('is the part of the file and the part made at run time, together', async () => {
    const { setup } = await open()
    await setup.apply(planOf(connector('30', settings30), sender('a@example.com', '30')), { by: 'me' })
    expect(setup.current.connectors.map(({ id, origin }) => [id, origin])).toEqual([
      ['29', 'file'],
      ['30', 'api'],
    ])
    expect(setup.current.connectors[1]!.connector).toMatchObject({ port: 25, fqdn: 'relay.example.com' })
    expect(wayOf(setup.current, 'x@example.com', 'b@example.org')).toMatchObject({ connector: '30' })
    expect(wayOf(setup.current, 'x@example.com', 'b@example.net')).toMatchObject({ connector: '29' })
    expect(wayOf(setup.current, 'a@example.com', 'b@example.org')).toMatchObject({
      connector: '30',
      why: { rule: 'senderAddress' },
    })
  })

  it('has its requireTLS set where something else demands TLS', async () => {
    const { setup } = await open()
    await setup.apply(planOf(connector('30', { ...settings30, tls: 'implicit' })), { by: 'me' })
    expect(setup.current.connectors[1]!.connector.requireTLS).toBe(true)
  })

  it('is there again after a restart of the state', async () => {
    const { setup, state } = await open()
    await setup.apply(planOf(connector('30', settings30)), { by: 'me' })
    const again = await open({ state })
    expect(again.setup.current.connectors.map(({ id }) => id)).toEqual(['29', '30'])
  })

  it.each([
    [connector('29', settings30), 'connector', 'has a connector of this id', true],
    [connector('30', { ...settings30, port: 0 }), 'connector', 'port', false],
    [connector('30', { ...settings30, unheard: 1 }), 'connector', 'unheard', false],
    [connector('30', settings30, { sealed: 'v1:00000000:x' }), 'connector', 'no secret', false],
    [sender('A@Example.com', '29'), 'sender', 'no sender', false],
    [rule('Blocked', { actions: {} }), 'rule', 'actions', false],
    [created('rule-order', 'rules', { names: 1 }), 'rule-order', 'names', false],
    [created('token', 'x', {}), 'token', 'no token', false],
  ])('sets aside and names what cannot be used: %#', async (change, kind, why, shadowed) => {
    const { setup, lines } = await open()
    await setup.apply(planOf(change, connector('40', { ...settings30, name: 'Forty' })), { by: 'me' })
    const unusable = [{ kind, id: change.id, why: expect.stringContaining(why), shadowed }]
    expect(setup.current.unusable).toEqual(unusable)
    expect(setup.current.connectors.map(({ id }) => id)).toEqual(['29', '40'])
    expect(lines.filter((line) => line.includes(`${kind}/${change.id}`))).toHaveLength(1)
  })

  it('sends the mail of a sender whose binding cannot be read no other way', async () => {
    const { setup } = await open()
    const broken = [
      created('sender', 'a@example.com', { connector: 7 }),
      created('sender', '@example.net', {}),
    ]
    await setup.apply(planOf(...broken), { by: 'me' })
    for (const from of ['a@example.com', 'b@example.net'])
      expect(wayOf(setup.current, from, 'b@example.org')).toMatchObject({
        kind: 'refuse',
        reply: { code: 451, enhanced: '4.3.5' },
      })
  })

  it('lets the mail wait of a connector whose secret cannot be opened', async () => {
    const other = parseSecretKey(Buffer.alloc(32, 9).toString('base64'))
    if ('error' in other) throw new Error(other.error)
    const sealed = new SecretBox({ current: other, former: [] }).seal('hidden', {
      context: connectorSecret('30', 'password'),
    })
    const { setup } = await open()
    const basic = { ...settings30, smartHostAuthMechanism: 'basicAuthRequireTLS', user: 'u' }
    await setup.apply(planOf(connector('30', basic, sealed)), { by: 'me' })
    expect(carriedBy(setup.current)).toMatchObject({ unusable: new Set(['30']) })
    expect(setup.current.unusable[0]!.why).toContain(other.id)
  })

  it('binds to none where a domain is only known', async () => {
    const { setup } = await open()
    await setup.apply(planOf(sender('@example.com', null), sender('a@example.com', null)), { by: 'me' })
    const { addressBindings, domainBindings, boundConnectors } = bindingsOf(setup.current)
    expect(addressBindings.get('a@example.com')).toBeNull()
    expect(domainBindings.get('example.com')).toBeUndefined()
    expect([...boundConnectors]).toEqual([])
  })
})

describe('rules', () => {
  const yaml = `${plainFile}policy: { rules: [{ name: Of the file, actions: { drop: true } }] }\n`
  const names = ({ rules }: CurrentSetup) => rules.map(({ name }) => name)

  it("are the file's, then the others in their order, then those without a place", async () => {
    const { setup } = await open({ yaml })
    await setup.apply(planOf(rule('a', drops), rule('b', drops), rule('c', drops)), { by: 'me' })
    await setup.apply(planOf(created('rule-order', 'rules', { names: ['c', 'gone', 'a'] })), { by: 'me' })
    expect(names(setup.current)).toEqual(['Of the file', 'c', 'a', 'b'])
    expect(new InForce(setup.current).rules).toEqual(
      compileRules({ ...setup.current.config.policy, rules: setup.current.rules.map(({ rule }) => rule) }),
    )
  })

  it('that cannot be used stop the start, and do not replace those in force', async () => {
    const { setup } = await open({ yaml })
    const inForce = new InForce(setup.current)
    const before = inForce.rules
    await setup.apply(planOf(rule('bad', { actions: {} })), { by: 'me' })
    expect(() => inForce.take(setup.current)).toThrow(/bad/)
    expect(inForce.rules).toBe(before)
    expect(() => new InForce(setup.current)).toThrow(/must not leave/)
  })

  it.each(['conditions', 'exceptions'])(
    'cannot be used without the lists of the file they name: %s',
    async (part) => {
      const named = { [part]: { senderIn: ['board'] }, ...drops }
      const { setup } = await open({ yaml })
      await setup.apply(planOf(rule('bad', named)), { by: 'me' })
      expect(setup.current.unusable).toMatchObject([
        { kind: 'rule', id: 'bad', why: expect.stringContaining('there is no board') },
      ])
      expect(() => new InForce(setup.current)).toThrow(/bad/)
      const withList = yaml.replace('policy: {', 'policy: { lists: { board: [a@example.com] },')
      const other = await open({ yaml: withList, state: (await open()).state })
      await other.setup.apply(planOf(rule('bad', named)), { by: 'me' })
      expect(other.setup.current.unusable).toEqual([])
    },
  )

  it('that cannot be used do not hold up what else changes', async () => {
    const { setup } = await open({ yaml })
    const inForce = new InForce(setup.current)
    await setup.apply(planOf(connector('30', settings30), rule('bad', { actions: {} })), { by: 'me' })
    expect(() => inForce.take(setup.current)).toThrow(/bad/)
    expect([...inForce.routes.connectors.keys()]).toEqual(['29', '30'])
    await setup.apply(
      planOf({ kind: 'rule', id: 'bad', expected: 1, value: { rule: drops, createdAt: 1 } }),
      {
        by: 'me',
      },
    )
    inForce.take(setup.current)
    expect(inForce.rules).toEqual(new InForce(setup.current).rules)
  })

  it('that the file has too are the file’s', async () => {
    const { setup } = await open({ yaml })
    await setup.apply(planOf(rule('Of the file', { actions: { reject: {} } })), { by: 'me' })
    expect(names(setup.current)).toEqual(['Of the file'])
    expect(() => new InForce(setup.current)).not.toThrow()
  })
})

describe('a change', () => {
  let node: RunningSetup
  let other: RunningSetup
  beforeEach(async () => {
    node = await open()
    other = await open({ state: node.state })
  })

  it('is told to whoever watches, on each node, and recorded with who made it', async () => {
    const told: number[] = []
    other.setup.watch(({ connectors }) => told.push(connectors.length))
    const audit = {
      act: 'created',
      what: 'connector',
      id: '30',
      before: null,
      after: { name: 'Thirty' },
    } as const
    await node.setup.apply(() => ({ changes: [connector('30', settings30)], audit: [audit] }), { by: 'anna' })
    expect(told).toEqual([2])
    expect(node.events).toEqual([{ event: 'configured', by: 'anna', ...audit }])
    expect(other.events).toEqual([])
  })

  it('is planned again where another one came first', async () => {
    let plans = 0
    const bind = (current: CurrentSetup, { now }: Planning): Plan => {
      plans++
      const before = current.senders.get('a@example.com')?.stored
      const value = { connector: '29', createdAt: now }
      const expected = before?.version ?? null
      return { changes: [{ kind: 'sender', id: 'a@example.com', expected, value }], audit: [] }
    }
    await Promise.all([node.setup.apply(bind, { by: 'me' }), other.setup.apply(bind, { by: 'you' })])
    expect(plans).toBe(3)
    expect(node.setup.current.senders.get('a@example.com')?.stored?.version).toBe(2)
  })

  it.each(['one node', 'two nodes'])('never meets another of a different object: on %s', async (nodes) => {
    await node.setup.apply(planOf(connector('30', settings30)), { by: 'me' })
    const bind = (current: CurrentSetup, planning: Planning) =>
      planBind(current, planning, { sender: 'a@example.com', connector: '30' })
    const results = await Promise.allSettled([
      node.setup.apply(removeConnector('30', {}), { by: 'me' }),
      (nodes === 'one node' ? node : other).setup.apply(bind, { by: 'you' }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(results[1]).toMatchObject({ reason: { refusal: 'invalid', field: 'connector' } })
    expect([...node.setup.current.senders.keys()]).toEqual([])
  })

  it('that is made is recorded, also where it cannot be looked at afterwards', async () => {
    const { state } = node
    let isAway = false
    const leaving: StateStore = {
      change: async (changes, options) => {
        const revision = await state.change(changes, options)
        isAway = true
        return revision
      },
      read: async () => {
        if (isAway) throw new QueueUnavailable('gone')
        return state.read()
      },
      watch: (listener) => state.watch(listener),
      close: () => state.close(),
    }
    const { setup, events } = await open({ state: leaving })
    const audit = { act: 'removed', what: 'connector', id: '30', before: null, after: null } as const
    const change = () => ({ changes: [connector('30', settings30)], audit: [audit] })
    await expect(setup.apply(change, { by: 'anna' })).rejects.toThrow('gone')
    expect(events).toMatchObject([{ event: 'configured', by: 'anna', id: '30' }])
  })

  it('that never fits ends with the conflict', async () => {
    const stale = planOf({ kind: 'sender', id: 'a@example.com', expected: 7, value: {} })
    await expect(node.setup.apply(stale, { by: 'me' })).rejects.toBeInstanceOf(StateConflict)
  })

  it('that is refused changes nothing and records nothing', async () => {
    const refuse = (): Plan => {
      throw new SetupRefused('invalid', 'no', 'name')
    }
    await expect(node.setup.apply(refuse, { by: 'me' })).rejects.toThrow('no')
    expect(node.setup.current.revision).toBe(0)
    expect(node.events).toEqual([])
  })

  it('of nothing is none', async () => {
    await node.setup.apply(planOf(), { by: 'me' })
    expect(node.setup.current.revision).toBe(0)
  })
})

describe('secrets', () => {
  const sealing = (id: string) => (_: CurrentSetup, planning: Planning) => {
    const password = planning.seal('hunter2', connectorSecret(id, 'password'))
    const basic = { ...settings30, name: id, smartHostAuthMechanism: 'basicAuthRequireTLS', user: 'u' }
    return { changes: [connector(id, basic, password)], audit: [] }
  }

  it('are refused where no key is configured that all nodes have', async () => {
    const { setup } = await open({ box: null })
    await expect(setup.apply(sealing('30'), { by: 'me' })).rejects.toMatchObject({ refusal: 'noKey' })
    await expect(setup.rekey({ by: 'me' })).rejects.toMatchObject({ refusal: 'noKey' })
  })

  it('are sealed anew under a new key, and the former is not needed any more', async () => {
    const keys = [1, 2].map((fill) => parseSecretKey(Buffer.alloc(32, fill).toString('base64')))
    const [former, current] = keys as [never, never]
    const before = await open({ box: new SecretBox({ current: former, former: [] }) })
    for (let n = 0; n < 3; n++) await before.setup.apply(sealing(`c${n}`), { by: 'me' })

    const rotating = await open({ state: before.state, box: new SecretBox({ current, former: [former] }) })
    expect(await rotating.setup.rekey({ by: 'me' })).toBe(3)
    expect(await rotating.setup.rekey({ by: 'me' })).toBe(0)
    expect(rotating.events).toMatchObject([{ what: 'state key', after: { objects: 3 } }])

    const after = await open({ state: before.state, box: new SecretBox({ current, former: [] }) })
    expect(after.setup.current.unusable).toEqual([])
    expect(after.setup.current.connectors.at(-1)!.connector.password).toBe('hunter2')
  })
})
