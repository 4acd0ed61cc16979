/** TLS on the admin port, with real certificates. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AdminPort, localToken, startAdminPort } from '../../support/admin-port.ts'
import { type Certificate, type Certificates, makeCertificates } from '../../support/certificates.ts'

let certificates: Certificates
let directory: string
let paths: { cert: string; key: string }
let port: AdminPort

beforeAll(() => {
  certificates = makeCertificates()
})
afterAll(() => certificates.remove())

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-admin-tls-'))
  paths = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  put(certificates.address)
  port = await startAdminPort({ config: { address: '127.0.0.1', port: 0, certificate: paths } })
})

afterEach(async () => {
  await port.stop()
  rmSync(directory, { recursive: true })
})

function put({ cert, key }: Certificate): void {
  writeFileSync(paths.cert, cert)
  writeFileSync(paths.key, key)
}

/** What the port shows, and speaks. */
function handshake(options: { maxVersion?: 'TLSv1.1' } = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: '127.0.0.1',
        port: port.admin.port,
        rejectUnauthorized: false,
        minVersion: 'TLSv1',
        ...options,
      },
      () => resolve(socket.end()),
    )
    socket.once('error', reject)
  })
}

const shown = async () => (await handshake()).getPeerX509Certificate()!.subject

it('is the only thing that is spoken', async () => {
  expect(await port.ask('/tokens', { ca: certificates.ca })).toMatchObject({ code: 200 })
  await expect(fetch(`http://127.0.0.1:${port.admin.port}/healthz`)).rejects.toThrow()
})

it('is TLS 1.2 or newer, also with a new certificate', async () => {
  await expect(handshake({ maxVersion: 'TLSv1.1' })).rejects.toThrow()
  put(certificates.good)
  await port.logLine('has been read again')
  await expect(handshake({ maxVersion: 'TLSv1.1' })).rejects.toThrow()
  expect((await handshake()).getProtocol()).toBe('TLSv1.3')
})

it('shows the certificate that is in the files now; a pair that does not fit leaves the one before', async () => {
  expect(await shown()).toContain('address of a test')
  copyFileSync(join(certificates.directory, 'good.pem'), paths.cert)
  await port.logLine('cannot be used, the one before stays')
  expect(await shown()).toContain('address of a test')
  copyFileSync(join(certificates.directory, 'good.key'), paths.key)
  await port.logLine('has been read again')
  expect(await shown()).toContain('good of a test')
})

describe('the session', () => {
  it('goes over TLS alone, and no other host can set it', async () => {
    const ca = certificates.ca
    const body = { token: localToken }
    const answer = await port.ask('/session', { method: 'POST', token: null, body, ca })
    const [cookie] = answer.headers['set-cookie']!
    expect(cookie).toMatch(/^__Host-relay-session=.{43}; HttpOnly; SameSite=Strict; Path=\/; Secure$/)
    const own = {
      cookie: cookie!.split(';', 1)[0]!,
      origin: `https://127.0.0.1:${port.admin.port}`,
    }
    const end = (headers: Record<string, string>) =>
      port.ask('/session', { method: 'DELETE', token: null, headers, ca })
    expect((await end({ ...own, origin: own.origin.replace('https', 'http') })).code).toBe(403)
    expect((await end(own)).code).toBe(204)
  })
})

it('is not started with files that are none', async () => {
  const certificate = { cert: paths.cert, key: join(directory, 'nowhere.pem') }
  const started = startAdminPort({ config: { address: '127.0.0.1', port: 0, certificate } })
  await expect(started).rejects.toThrow('nowhere.pem')
})
