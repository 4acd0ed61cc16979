import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { selfSignedKeyPair } from '../../src/smtp/certificate.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { type RunningListener, runListener } from './running-listener.ts'

let dataDir: string
beforeAll(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'relay-tls-'))
})
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

const clients: SmtpClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
async function greet(running: RunningListener, options: { tls?: boolean } = {}): Promise<SmtpClient> {
  const client = await SmtpClient.greet({ port: running.port, ...options })
  clients.push(client)
  return client
}

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

describe('a message over TLS', () => {
  it.each(['starttls', 'implicit'] as const)('by %s says so in its session', async (tls) => {
    const running = await runListener({ config: { tls }, dataDir })
    expect(running.listener.tls).toBe(true)
    const client = await greet(running, { tls: tls === 'implicit' })
    if (tls === 'starttls') {
      await client.startTls()
      await client.command('EHLO client.example.com')
    }
    expect(await client.message()).toMatch(/^250 /)
    expect(running.reception.messages[0]!.transaction.session).toMatchObject({
      protocol: 'ESMTPS',
      tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
    })
  })
})

describe('TLS versions', () => {
  it.each([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('%s is spoken: %s', async (version, spoken) => {
    const running = await runListener({ config: { tls: 'implicit' }, dataDir })
    const socket = connectTls({
      port: running.port,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      // The client's own library would refuse the old version before we can.
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    const outcome = await Promise.race([
      once(socket, 'secureConnect').then(() => true),
      once(socket, 'error').then(
        () => false,
        () => false,
      ),
    ]).catch(() => false)
    socket.destroy()
    expect(outcome).toBe(spoken)
  })

  it('do not renegotiate', async () => {
    const running = await runListener({ config: { tls: 'implicit' }, dataDir })
    const client = await SmtpClient.connect({ port: running.port })
    clients.push(client)
    await client.handshake({ maxVersion: 'TLSv1.2' })
    await client.reply()
    const renegotiated = new Promise((resolve) => {
      ;(client.socket as TLSSocket).renegotiate({}, (error) => resolve(error))
    })
    expect(await Promise.race([renegotiated, client.ended().then(() => new Error('closed'))])).toBeInstanceOf(
      Error,
    )
  })
})

describe('clients that do not get through the handshake', () => {
  it('are dropped when they are silent after STARTTLS, and the relay lives', async () => {
    const running = await runListener({ config: { tls: 'starttls', idleTimeout: 200 }, dataDir })
    const client = await greet(running)
    expect(await client.command('STARTTLS')).toMatch(/^220 2\.0\.0 /)
    await client.ended()
    await eventually(() => running.listener.sessions === 0)
    expect((await greet(running)).unread).toBe('')
  })

  it('are dropped when their session ends in it', async () => {
    const running = await runListener({ config: { tls: 'starttls', sessionTimeout: 300 }, dataDir })
    const client = await greet(running)
    await client.command('STARTTLS')
    await client.ended()
    await eventually(() => running.listener.sessions === 0)
  })

  it('are dropped when the listener stops', async () => {
    const running = await runListener({ config: { tls: 'starttls' }, dataDir })
    const client = await greet(running)
    await client.command('STARTTLS')
    await running.listener.stop(5000)
    await client.ended()
  })

  it('are dropped when they are silent where TLS is implicit', async () => {
    const running = await runListener({ config: { tls: 'implicit', idleTimeout: 200 }, dataDir })
    const socket = connectPlain(running.port)
    await once(socket, 'close')
  })

  it('are limited for each address where TLS is implicit', async () => {
    const running = await runListener({ config: { tls: 'implicit', maxSessionsPerAddress: 2 }, dataDir })
    const silent = [connectPlain(running.port), connectPlain(running.port)]
    await Promise.all(silent.map((socket) => once(socket, 'connect')))
    await sleep(50)
    const third = connectPlain(running.port)
    await once(third, 'close')
    for (const socket of silent) {
      expect(socket.closed).toBe(false)
      socket.destroy()
    }
  })

  it('disturb nobody when they speak SMTP to an implicit TLS port', async () => {
    const running = await runListener({ config: { tls: 'implicit' }, dataDir })
    const socket = connectPlain(running.port)
    socket.on('error', () => {})
    socket.write('EHLO client.example.com\r\n')
    await once(socket, 'close')
    expect(await (await greet(running, { tls: true })).message()).toMatch(/^250 /)
    expect(running.logged).toMatchObject([{ level: 'info', text: 'A connection broke' }])
  })

  it('disturb nobody when they speak TLS to a plain port', async () => {
    const running = await runListener({ config: { tls: 'off', idleTimeout: 300 } })
    const socket = connectTls({ port: running.port, rejectUnauthorized: false })
    await once(socket, 'error').catch(() => {})
    expect(await (await greet(running)).message()).toMatch(/^250 /)
  })

  it('disturb nobody when they send garbage after STARTTLS', async () => {
    const running = await runListener({ config: { tls: 'starttls' }, dataDir })
    const client = await greet(running)
    await client.command('STARTTLS')
    client.send(Buffer.alloc(2000, 'garbage'))
    await client.ended()
    await eventually(() => running.listener.sessions === 0)
  })
})

describe('certificate files', () => {
  async function withFiles(): Promise<{
    running: RunningListener
    cert: string
    key: string
    folder: string
  }> {
    const folder = mkdtempSync(join(dataDir, 'files-'))
    const cert = join(folder, 'cert.pem')
    const key = join(folder, 'key.pem')
    await replace({ cert, key }, 'one.example.com', folder)
    return {
      running: await runListener({ config: { tls: 'starttls', certificate: { cert, key } } }),
      cert,
      key,
      folder,
    }
  }
  async function replace(paths: { cert: string; key: string }, name: string, folder: string): Promise<void> {
    const pair = await selfSignedKeyPair({
      dataDir: folder,
      file: `${name}.pem`,
      names: [name],
      now: Date.now(),
    })
    writeFileSync(paths.key, pair.key)
    writeFileSync(paths.cert, pair.cert)
  }
  async function shownName(running: RunningListener): Promise<string> {
    const client = await greet(running)
    await client.startTls()
    return String((client.socket as TLSSocket).getPeerCertificate().subject.CN)
  }

  it('are read again when they change, and sessions stay', async () => {
    const { running, folder, ...paths } = await withFiles()
    const session = await greet(running)
    await session.startTls()
    expect(await shownName(running)).toBe('one.example.com')
    await replace(paths, 'two.example.com', folder)
    await eventually(() => running.logged.length > 0)
    expect(running.logged.at(-1)).toMatchObject({
      level: 'info',
      text: 'The certificate has been read again',
    })
    expect(await shownName(running)).toBe('two.example.com')
    expect(await session.command('NOOP')).toMatch(/^250 /)
  })

  it('that do not fit together are reported, and the ones before stay', async () => {
    const { running, folder, cert } = await withFiles()
    const other = await selfSignedKeyPair({
      dataDir: folder,
      file: 'x.pem',
      names: ['x.example.com'],
      now: Date.now(),
    })
    writeFileSync(cert, other.cert.slice(other.cert.indexOf('-----BEGIN CERTIFICATE')))
    await eventually(() => running.logged.length > 0)
    expect(running.logged[0]).toMatchObject({ level: 'error' })
    expect(await shownName(running)).toBe('one.example.com')
  })

  it('that cannot be read stop the listener from starting', async () => {
    const missing = { cert: join(dataDir, 'none.pem'), key: join(dataDir, 'none.key') }
    await expect(runListener({ config: { tls: 'starttls', certificate: missing } })).rejects.toMatchObject({
      code: 'ENOENT',
    })
    const folder = mkdtempSync(join(dataDir, 'files-'))
    const cert = join(folder, 'cert.pem')
    copyFileSync(import.meta.filename, cert)
    await expect(
      runListener({ config: { tls: 'starttls', certificate: { cert, key: cert } } }),
    ).rejects.toThrow()
    expect(readFileSync(cert).length).toBeGreaterThan(0)
  })
})
