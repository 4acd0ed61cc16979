import { describe, expect, it } from 'vitest'
import { probeIntervalMs, resolutionMs, SmartHosts } from '../../src/delivery/hosts.ts'
import type { HostAddress, Resolution, Resolver } from '../../src/delivery/resolve.ts'

/** A clock and a name service that the test moves. */
function world(smartHosts: readonly string[], names: Record<string, Resolution> = {}) {
  const clock = { at: 1_000_000, now: () => clock.at }
  const asked: string[] = []
  const resolver: Resolver = async (name) => {
    asked.push(name)
    return names[name] ?? { tiers: [[`${name}-address`]] }
  }
  const hosts = new SmartHosts({ smartHosts: [...smartHosts] }, { resolver, clock })
  const order = async (): Promise<string[]> => {
    const list = await hosts.order()
    if ('scope' in list) throw new Error(list.reply.text)
    return list.map((host) => host.address.replace('-address', ''))
  }
  const host = (name: string): HostAddress => ({ name, address: `${name}-address` })
  return { clock, asked, hosts, order, host, names }
}

describe('round robin', () => {
  it('gives each connection the list rotated by one', async () => {
    const { order } = world(['a', 'b', 'c'])
    expect([await order(), await order(), await order(), await order()]).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
      ['c', 'a', 'b'],
      ['a', 'b', 'c'],
    ])
  })

  it('goes over all addresses of all names, and keeps the name with each', async () => {
    const { hosts } = world(['a', 'b'], {
      a: { tiers: [['192.0.2.1', '192.0.2.2']] },
      b: { tiers: [['192.0.2.3']] },
    })
    await hosts.order()
    expect(await hosts.order()).toEqual([
      { name: 'a', address: '192.0.2.2' },
      { name: 'b', address: '192.0.2.3' },
      { name: 'a', address: '192.0.2.1' },
    ])
  })

  it('rotates within a preference of MX records, never across', async () => {
    const { order } = world(['mx'], {
      mx: {
        tiers: [
          ['1', '2'],
          ['3', '4'],
        ],
      },
    })
    expect([await order(), await order()]).toEqual([
      ['1', '2', '3', '4'],
      ['2', '1', '4', '3'],
    ])
  })
})

describe('a host without TLS', () => {
  it('is not asked for TLS for a while', async () => {
    const { order, hosts, host, clock } = world(['a', 'b'])
    expect(hosts.anyMayOfferTls).toBe(true)
    await order()
    hosts.offersNoTls(host('a'))
    expect([hosts.mayOfferTls(host('a')), hosts.mayOfferTls(host('b'))]).toEqual([false, true])
    expect(hosts.anyMayOfferTls).toBe(true)
    hosts.offersNoTls(host('b'))
    expect(hosts.anyMayOfferTls).toBe(false)
    clock.at += resolutionMs
    expect(hosts.anyMayOfferTls).toBe(true)
  })

  it('is used for other mail in its turn', async () => {
    const { order, hosts, host } = world(['a', 'b'])
    hosts.offersNoTls(host('a'))
    expect([await order(), await order()]).toEqual([
      ['a', 'b'],
      ['b', 'a'],
    ])
  })
})

describe('a host that failed', () => {
  it('goes behind the others, which share its load', async () => {
    const { order, hosts, host } = world(['a', 'b', 'c', 'd'])
    await order()
    hosts.failed(host('b'))
    const firsts = []
    for (let i = 0; i < 300; i++) {
      const list = await order()
      expect(list.at(-1)).toBe('b')
      firsts.push(list[0])
    }
    for (const name of ['a', 'c', 'd']) expect(firsts.filter((first) => first === name)).toHaveLength(100)
  })

  it('is probed after a minute by one connection alone, and again a minute later', async () => {
    const { order, hosts, host, clock } = world(['a', 'b', 'c'])
    await order()
    hosts.failed(host('a'))
    clock.at += probeIntervalMs - 1
    expect((await order())[0]).not.toBe('a')
    clock.at += 1
    const lists = await Promise.all([order(), order(), order()])
    expect(lists.map((list) => list.indexOf('a'))).toEqual([0, 2, 2])
    hosts.failed(host('a'))
    expect((await order())[0]).not.toBe('a')
    clock.at += probeIntervalMs
    expect((await order())[0]).toBe('a')
  })

  it('is one of all again once a connection to it succeeds', async () => {
    const { order, hosts, host } = world(['a', 'b'])
    await order()
    hosts.failed(host('a'))
    hosts.succeeded(host('a'))
    expect(new Set([(await order())[0], (await order())[0]])).toEqual(new Set(['a', 'b']))
  })

  it('is tried all the same where every host has failed', async () => {
    const { order, hosts, host } = world(['a', 'b'])
    await order()
    hosts.failed(host('a'))
    hosts.failed(host('b'))
    expect((await order()).sort()).toEqual(['a', 'b'])
    expect((await order())[0]).not.toBe((await order())[0])
  })

  it('in front of a lower preference gives way to it', async () => {
    const { order, hosts } = world(['mx'], { mx: { tiers: [['1'], ['2']] } })
    await order()
    hosts.failed({ name: 'mx', address: '1' })
    expect(await order()).toEqual(['2', '1'])
  })
})

describe('names', () => {
  it('are looked up once for many connections, and again after a while', async () => {
    const { order, asked, clock } = world(['a'])
    await Promise.all([order(), order()])
    clock.at += resolutionMs - 1
    await order()
    expect(asked).toHaveLength(1)
    clock.at += 1
    await order()
    expect(asked).toHaveLength(2)
  })

  it('are looked up again when every address has failed', async () => {
    const { order, hosts, host, names, asked } = world(['a'])
    await order()
    hosts.failed(host('a'))
    names.a = { tiers: [['elsewhere']] }
    expect(await order()).toEqual(['elsewhere'])
    expect(asked).toHaveLength(2)
  })

  it('that cannot be looked up now keep the addresses they had', async () => {
    const { order, names, clock } = world(['a'])
    await order()
    names.a = { error: 'EAI_AGAIN', final: false }
    clock.at += resolutionMs
    expect(await order()).toEqual(['a'])
  })

  it('that are gone for good lose the addresses they had', async () => {
    const { hosts, names, clock, order } = world(['a'])
    await order()
    names.a = { error: 'ENOTFOUND', final: true }
    clock.at += resolutionMs
    expect(await hosts.order()).toMatchObject({ scope: 'connection', fault: 'resolve' })
  })

  it.each([
    [false, '4.4.3'],
    [true, '4.4.4'],
  ])('without an address are a fault of the connection (final: %s)', async (final, enhanced) => {
    const { hosts } = world(['a', 'b'], {
      a: { error: 'EAI_AGAIN', final },
      b: { error: 'ENOTFOUND', final: true },
    })
    expect(await hosts.order()).toEqual({
      scope: 'connection',
      fault: 'resolve',
      host: 'a, b',
      reply: { code: 451, enhanced, text: 'No address for the smart host: a: EAI_AGAIN; b: ENOTFOUND' },
    })
  })

  it('without an address do not keep the others from being used', async () => {
    const { order } = world(['a', 'b'], { a: { error: 'ENOTFOUND', final: true } })
    expect(await order()).toEqual(['b'])
  })
})
