import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { domainOf } from '../../src/address.ts'
import { type SenderIdentity, senderIdentity, senderKey } from '../../src/route/sender.ts'

describe('senderIdentity', () => {
  const envelope = 'bounces@example.com'
  const header = 'news@example.org'
  it.each<[SenderIdentity, string | null, string | null, string | null]>([
    ['envelope', envelope, header, envelope],
    ['envelope', envelope, null, envelope],
    ['envelope', null, header, null],
    ['envelope', '', header, null],
    ['header', envelope, header, header],
    ['header', envelope, null, null],
    ['header', null, header, header],
    ['header', envelope, 'not an address', null],
    ['header', envelope, 'News@EXAMPLE.org', 'News@example.org'],
    ['headerOrEnvelope', envelope, header, header],
    ['headerOrEnvelope', envelope, null, envelope],
    ['headerOrEnvelope', envelope, 'not an address', envelope],
    ['headerOrEnvelope', null, null, null],
    ['headerOrEnvelope', '', null, null],
  ])('%s of envelope %s and header %s is %s', (setting, envelopeFrom, headerFrom, identity) => {
    expect(senderIdentity(setting, { envelopeFrom, headerFrom })).toBe(identity)
  })
})

describe('senderKey', () => {
  it.each([
    ['Sales@example.com', 'sales@example.com'],
    ['"Sales"@example.com', 'sales@example.com'],
    ['"a\\"b"@example.com', 'a"b@example.com'],
    ['"two words"@example.com', 'two words@example.com'],
    ['MÜLLER@example.com', 'müller@example.com'],
    ['mu\u0308ller@example.com', 'müller@example.com'],
  ])('compares %s as %s', (address, key) => {
    expect(senderKey(address)).toBe(key)
  })

  it('changes nothing in the usual form that the rule would change', () => {
    const words = fc.constantFrom('a', 'B', '.', '+', '-', '_', '"', '\\', '@', 'é', 'u\u0308', '\u212a', '[')
    fc.assert(
      fc.property(fc.array(words, { maxLength: 8 }), (parts) => {
        const address = `${parts.join('')}@example.com`
        const local = address.slice(0, address.lastIndexOf('@'))
        const plain = local.startsWith('"') ? local.slice(1, -1).replace(/\\(.)/g, '$1') : local
        expect(senderKey(address)).toBe(`${plain.normalize('NFC').toLowerCase()}@${domainOf(address)}`)
      }),
      { numRuns: 2000 },
    )
  })
})
