import { describe, expect, it } from 'vitest'
import { createResolver, type DnsQuestions, systemResolver } from '../../src/delivery/resolve.ts'

const failure = (code: string): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }))

/** A name service that knows this and nothing else. */
function knowing(
  addresses: Record<string, readonly string[]>,
  exchanges: Record<string, readonly { exchange: string; priority: number }[]> = {},
): DnsQuestions {
  return {
    addresses: async (name) => addresses[name] ?? failure('ENOTFOUND'),
    exchanges: async (name) => exchanges[name] ?? failure('ENODATA'),
    timeoutMs: 1000,
  }
}

describe('systemResolver', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['[192.0.2.1]', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['[IPv6:2001:db8::1]', '2001:db8::1'],
  ])('takes %s for the address %s', async (name, address) => {
    expect(await systemResolver(name)).toEqual({ tiers: [[address]] })
  })

  it('asks the machine, so that its hosts file counts', async () => {
    const resolution = await systemResolver('localhost')
    expect('tiers' in resolution && resolution.tiers.flat()).toEqual(
      expect.arrayContaining([expect.stringMatching(/^(127\.0\.0\.1|::1)$/)]),
    )
  })
})

describe('a name', () => {
  const mx = [
    { exchange: 'backup.example.net', priority: 20 },
    { exchange: 'a.example.net', priority: 10 },
    { exchange: 'b.example.net', priority: 10 },
  ]
  const addresses = {
    'smtp.example.com': ['192.0.2.1', '2001:db8::1'],
    'a.example.net': ['192.0.2.10'],
    'b.example.net': ['192.0.2.11'],
    'backup.example.net': ['192.0.2.20'],
  }

  it('is its addresses', async () => {
    const resolver = createResolver(knowing(addresses, { 'smtp.example.com': mx }))
    expect(await resolver('smtp.example.com')).toEqual({ tiers: [['192.0.2.1', '2001:db8::1']] })
  })

  it('is its mail exchangers, by priority, where it has only those', async () => {
    const resolver = createResolver(knowing(addresses, { 'example.com': mx }))
    expect(await resolver('example.com')).toEqual({
      tiers: [['192.0.2.10', '192.0.2.11'], ['192.0.2.20']],
    })
  })

  it('is what is left of its mail exchangers where some have no address', async () => {
    const { 'a.example.net': _, ...others } = addresses
    const resolver = createResolver(knowing(others, { 'example.com': mx }))
    expect(await resolver('example.com')).toEqual({ tiers: [['192.0.2.11'], ['192.0.2.20']] })
  })

  it.each<[string, DnsQuestions, { error: string; final: boolean }]>([
    ['exists not', knowing({}), { error: 'ENODATA', final: true }],
    [
      'has a null MX',
      knowing({}, { 'example.com': [{ exchange: '', priority: 0 }] }),
      { error: 'no mail exchanger with an address', final: true },
    ],
    [
      'has an MX without addresses',
      knowing({}, { 'example.com': mx }),
      { error: 'no mail exchanger with an address', final: true },
    ],
    [
      'cannot be asked for',
      { ...knowing({}), addresses: () => failure('EAI_AGAIN') },
      { error: 'EAI_AGAIN', final: false },
    ],
    [
      'has an MX that cannot be asked for',
      { ...knowing({}), exchanges: () => failure('ESERVFAIL') },
      { error: 'ESERVFAIL', final: false },
    ],
    [
      'gets no answer',
      { ...knowing({}), addresses: () => new Promise(() => {}), timeoutMs: 10 },
      { error: 'ETIMEOUT', final: false },
    ],
  ])('that %s is no address', async (_name, questions, resolution) => {
    expect(await createResolver(questions)('example.com')).toEqual(resolution)
  })

  it('whose mail exchangers cannot all be asked for now is not gone for good', async () => {
    const questions = knowing({}, { 'example.com': mx })
    const addresses = (name: string) => failure(name === 'a.example.net' ? 'EAI_AGAIN' : 'ENOTFOUND')
    expect(await createResolver({ ...questions, addresses })('example.com')).toMatchObject({ final: false })
  })
})
