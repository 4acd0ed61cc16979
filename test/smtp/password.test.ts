import { describe, expect, it } from 'vitest'
import { hashPassword, isPasswordHash, verifyPassword } from '../../src/smtp/password.ts'

// Made with Python's hashlib.scrypt: password "pleaseletmein", salt "SodiumChloride", N 1024, r 8, p 1, 32 bytes.
const foreign = 'scrypt$1024$8$1$U29kaXVtQ2hsb3JpZGU=$VBc2h9Jl5DImvZFLAVJn4v3UEIqgWTf7VJ7OsMJ2ooU='

describe('password hashes', () => {
  it('match the password they were made of, and no other', async () => {
    const hash = await hashPassword('grün secret')
    expect(hash).toMatch(/^scrypt\$16384\$8\$1\$[^$]{24}\$[^$]{44}$/)
    expect(hash).not.toContain('secret')
    await expect(verifyPassword('grün secret', hash)).resolves.toBe(true)
    await expect(verifyPassword('gru\u0308n secret', hash)).resolves.toBe(true)
    await expect(verifyPassword('grün secret ', hash)).resolves.toBe(false)
    await expect(verifyPassword('', hash)).resolves.toBe(false)
  })
  it('differ each time', async () => {
    expect(await hashPassword('x')).not.toBe(await hashPassword('x'))
  })
  it('bring their own cost, and are what other programs call scrypt', async () => {
    await expect(verifyPassword('pleaseletmein', foreign)).resolves.toBe(true)
  })
  it.each([
    '',
    'secret',
    'scrypt$16384$8$1$c2FsdHNhbHQ=$',
    'scrypt$16383$8$1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA==',
    'scrypt$8388608$8$1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA==',
    'scrypt$16384$8$1$YQ==$aGFzaGhhc2hoYXNoaGFzaA==',
    'bcrypt$16384$8$1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA==',
  ])('are not %j', async (text) => {
    expect(isPasswordHash(text)).toBe(false)
    await expect(verifyPassword('x', text)).rejects.toThrow('Cannot verify')
  })
})
