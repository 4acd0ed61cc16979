import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { selfSignedKeyPair } from '../../src/smtp/certificate.ts'

let dataDir: string
beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'relay-certificate-')), 'data')
})
afterEach(() => rmSync(join(dataDir, '..'), { recursive: true, force: true }))

const names = ['relay.example.com', 'mail.example.com', '[192.0.2.1]']
const now = Date.now()
const make = (options: { names?: string[]; now?: number } = {}) =>
  selfSignedKeyPair({ dataDir, file: 'certificate.pem', names, now, ...options })
const dayMs = 86_400_000

describe('selfSignedKeyPair', () => {
  it('has all names, lasts ten years, and is readable by its owner only', async () => {
    const { cert } = await make()
    const certificate = new X509Certificate(cert)
    expect(certificate.subject).toBe('CN=relay.example.com')
    expect(certificate.subjectAltName).toBe(
      'DNS:relay.example.com, DNS:mail.example.com, IP Address:192.0.2.1',
    )
    const days = (Date.parse(certificate.validTo) - now) / dayMs
    expect(Math.round(days / 365.25)).toBe(10)
    expect(Date.parse(certificate.validFrom)).toBeLessThan(now)
    expect(statSync(join(dataDir, 'certificate.pem')).mode & 0o777).toBe(0o600)
    expect(statSync(dataDir).mode & 0o777).toBe(0o700)
    expect(readdirSync(dataDir)).toEqual(['certificate.pem'])
  })
  it('is made once', async () => {
    expect(await make()).toEqual(await make())
  })
  it('does not change with the order of names, or one named twice', async () => {
    const first = await make()
    expect(await make({ names: [...names].reverse() })).toEqual(first)
    expect(await make({ names: [...names, ...names] })).toEqual(first)
  })
  it.each([
    ['other names', { names: ['relay.example.com'] }],
    ['an end that is near', { now: now + 9.5 * 365 * dayMs }],
  ])('is made anew for %s', async (_why, options) => {
    expect(await make()).not.toEqual(await make(options))
  })
  it('is made anew where the file is damaged', async () => {
    const first = await make()
    const path = join(dataDir, 'certificate.pem')
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 300))
    const second = await make()
    expect(new X509Certificate(second.cert).subject).toBe('CN=relay.example.com')
    expect(second).not.toEqual(first)
  })
})
