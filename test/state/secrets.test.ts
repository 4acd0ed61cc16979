import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isSealed,
  parseSecretKey,
  reseal,
  SecretBox,
  type SecretKey,
  SecretUnreadable,
  secretContext,
} from '../../src/state/secrets.ts'

function keyOf(fill: number): SecretKey {
  const key = parseSecretKey(Buffer.alloc(32, fill).toString('base64'))
  if ('error' in key) throw new Error(key.error)
  return key
}

const [first, second] = [keyOf(1), keyOf(2)]
const connector = { kind: 'connector', id: '29' }
const context = secretContext(connector, ['password'])
const oldBox = new SecretBox({ current: first, former: [] })
const newBox = new SecretBox({ current: second, former: [first] })

describe('a key', () => {
  it('is named by the first digits of its SHA-256', () => {
    // printf '\1%.0s' {1..32} | sha256sum
    expect(first.id).toBe('72cd6e84')
  })

  it.each([
    ['base64', (bytes: Buffer) => bytes.toString('base64')],
    ['base64url', (bytes: Buffer) => bytes.toString('base64url')],
    ['base64 with a line break', (bytes: Buffer) => `${bytes.toString('base64')}\n`],
  ])('is read from %s', (_, write) => {
    const bytes = Buffer.alloc(32, 0xfb)
    expect(parseSecretKey(write(bytes))).toMatchObject({ id: keyOf(0xfb).id })
  })

  it.each([
    ['nothing', ''],
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['hexadecimal', Buffer.alloc(32).toString('hex')],
    ['other characters', `${Buffer.alloc(32).toString('base64').slice(0, -2)}!=`],
    ['bits beyond its last byte', `${'A'.repeat(42)}B=`],
  ])('is refused: %s', (_, text) => {
    expect(parseSecretKey(text)).toEqual({
      error: 'must be 32 bytes in base64, as openssl rand -base64 32 makes them',
    })
  })

  it('shows nothing of itself', () => {
    expect(JSON.stringify(first)).toBe('{"id":"72cd6e84","key":{}}')
  })
})

describe('a sealed secret', () => {
  it('opens to what was sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, field) => {
        const options = { context: secretContext(connector, [field]) }
        expect(oldBox.open(oldBox.seal(text, options), options)).toBe(text)
      }),
    )
  })

  it('has the form v1:keyid:nonce:ciphertext, another each time', () => {
    const [one, other] = [oldBox.seal('secret', { context }), oldBox.seal('secret', { context })]
    expect(one).toEqual({
      sealed: expect.stringMatching(/^v1:72cd6e84:[A-Za-z0-9_-]{16}:[A-Za-z0-9_-]{30}$/),
    })
    expect(isSealed(one)).toBe(true)
    expect(other.sealed).not.toBe(one.sealed)
  })

  it('is opened by a box to which its key is a former one, not by one that does not have it', () => {
    const sealed = oldBox.seal('secret', { context })
    expect(newBox.open(sealed, { context })).toBe('secret')
    expect(() => oldBox.open(newBox.seal('secret', { context }), { context })).toThrow(
      new SecretUnreadable(`It is sealed with the key ${second.id}; the configured one is ${first.id}`),
    )
  })

  it('does not open for another object or field', () => {
    const sealed = oldBox.seal('secret', { context })
    const others = [
      secretContext(connector, ['user']),
      secretContext({ kind: 'connector', id: '30' }, ['password']),
      secretContext({ kind: 'rule', id: '29' }, ['password']),
      secretContext(connector, ['password', '0']),
    ]
    for (const other of others)
      expect(() => oldBox.open(sealed, { context: other })).toThrow(
        `It was changed, or sealed for something else than ${other}`,
      )
  })

  it('has a context that no other field has', () => {
    const field = fc.record({ id: fc.string(), path: fc.array(fc.string(), { maxLength: 3 }) })
    fc.assert(
      fc.property(field, field, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other))
        const contexts = [one, other].map(({ id, path }) => secretContext({ kind: 'connector', id }, path))
        expect(contexts[0]).not.toBe(contexts[1])
      }),
    )
  })

  it('does not open once any character of it is another, and the error tells nothing', () => {
    const { sealed } = oldBox.seal('the secret', { context })
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:'
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom(...alphabet), (at, character) => {
        fc.pre(sealed[at] !== character)
        const changed = { sealed: sealed.slice(0, at) + character + sealed.slice(at + 1) }
        const open = () => oldBox.open(changed, { context })
        expect(open).toThrow(SecretUnreadable)
        expect(open).not.toThrow(/the secret/)
      }),
    )
  })

  it.each([
    ['', 'It is no secret sealed by this version (v1)'],
    ['secret', 'It is no secret sealed by this version (v1)'],
    [`v2:72cd6e84:${'A'.repeat(16)}:${'A'.repeat(22)}`, 'It is no secret sealed by this version (v1)'],
    [`v1:72cd6e84:${'A'.repeat(16)}:${'A'.repeat(21)}`, 'It is no secret sealed by this version (v1)'],
    [`v1:72cd6e84:${'A'.repeat(16)}:${'A'.repeat(22)}`, 'It was changed, or sealed for something else than'],
    [`v1:00000000:${'A'.repeat(16)}:${'A'.repeat(22)}`, 'It is sealed with the key 00000000; the configured'],
  ])('is refused with a reason: %s', (sealed, reason) => {
    expect(() => oldBox.open({ sealed }, { context })).toThrow(reason)
  })

  it.each([
    ['a text', 'v1:…', false],
    ['null', null, false],
    ['a list', ['sealed'], false],
    ['more fields', { sealed: 'v1', hint: 'x' }, false],
    ['a sealed number', { sealed: 1 }, false],
    ['a sealed text', { sealed: 'v1' }, true],
  ])('is told from other values: %s', (_, value, expected) => {
    expect(isSealed(value)).toBe(expected)
  })
})

describe('reseal', () => {
  const seal = (box: SecretBox, text: string, path: string[]) =>
    box.seal(text, { context: secretContext(connector, path) })
  const options = { box: newBox, object: connector }

  it('seals anew what is under a former key, wherever it stands, and leaves the rest', () => {
    const kept = seal(newBox, 'kept', ['auth', '1', 'password'])
    const value = {
      name: 'Provider',
      user: null,
      password: seal(oldBox, 'secret', ['password']),
      auth: [{ password: seal(oldBox, 'other', ['auth', '0', 'password']) }, { password: kept }],
    }
    const after = reseal(value, options) as typeof value
    expect(after).toMatchObject({ name: 'Provider', user: null, auth: [{}, { password: kept }] })
    const onlyNew = new SecretBox({ current: second, former: [] })
    expect(onlyNew.open(after.password, { context })).toBe('secret')
    const other = { context: secretContext(connector, ['auth', '0', 'password']) }
    expect(onlyNew.open(after.auth[0]!.password, other)).toBe('other')
    expect(reseal(after, options)).toBe(after)
  })

  it('gives back any value without such secrets as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!JSON.stringify(value).includes('"sealed"'))
        expect(reseal(value, options)).toBe(value)
      }),
    )
  })

  it('names the field of a secret that cannot be opened', () => {
    const moved = { auth: { password: seal(oldBox, 'secret', ['password']) } }
    expect(() => reseal(moved, options)).toThrow(
      /^connector\/29, auth\.password: It was changed, or sealed for something else/,
    )
  })
})
