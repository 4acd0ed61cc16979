/** How commands reach the running relay, by whichever of them: the token, and TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openTokenFile, tokenFileIn } from '../../src/admin/access/token-file.ts'
import { registerToken } from '../../src/cli/token.ts'
import { type AdminPort, localToken, startAdminPort } from '../support/admin-port.ts'
import { type Certificate, type Certificates, makeCertificates } from '../support/certificates.ts'
import { runCommand } from './run-command.ts'

let directory: string
let port: AdminPort

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))
})
afterEach(async () => {
  delete process.env.RELAY_TOKEN
  await port.stop()
  rmSync(directory, { recursive: true })
})

const list = (...args: string[]) => runCommand(registerToken, ['token', 'list', ...args])
const reached = { err: '', code: 0 }

function write(name: string, content: string): string {
  const file = join(directory, name)
  writeFileSync(file, content)
  return file
}

/** What `--config` names. */
const configured = (admin: object): string =>
  write(
    'relay.yaml',
    `hostname: relay.example.com
dataDir: ${join(directory, 'data')}
listeners: [{ name: exchange, port: 2525 }]
connectors: [{ id: 1, name: A, addressSpaces: ["*"], smartHosts: [smtp.example.com], requireTLS: true }]
admin: ${JSON.stringify(admin)}
`,
  )

async function withLocalToken(): Promise<void> {
  const file = tokenFileIn(join(directory, 'data'))
  await openTokenFile(file)
  writeFileSync(file, localToken)
}

describe('the token', () => {
  beforeEach(async () => {
    port = await startAdminPort()
  })

  it('is that of --token-file', async () => {
    process.env.RELAY_TOKEN = 'another'
    const file = write('token', `${localToken}\n`)
    expect(await list('--admin', port.url, '--token-file', file)).toMatchObject(reached)
  })

  it('may be one that was made', async () => {
    const file = write('token', await port.tokenFor('admin'))
    expect(await list('--admin', port.url, '--token-file', file)).toMatchObject(reached)
  })

  it('is else that of RELAY_TOKEN', async () => {
    process.env.RELAY_TOKEN = localToken
    expect(await list('--admin', port.url)).toMatchObject(reached)
  })

  it('is else the one in the data directory of the configuration', async () => {
    const config = configured({ port: port.admin.port })
    await withLocalToken()
    expect(await list('--config', config)).toMatchObject(reached)
    expect(await list('--config', config, '--admin', port.url)).toMatchObject(reached)
  })

  it('that cannot be read is missed, with what to do', async () => {
    const { err, code } = await list('--config', configured({ port: port.admin.port }))
    expect(code).toBe(1)
    expect(err).toMatch(/^The token of the relay cannot be read from \S+data\/admin-token: /)
    expect(err).toContain('--token-file <file>, or set RELAY_TOKEN (relay token new makes one)')
  })

  it('that is none is named', async () => {
    const file = write('token', 'short')
    const { err, code } = await list('--admin', port.url, '--token-file', file)
    expect(code).toBe(1)
    expect(err).toMatch(new RegExp(`^${file} holds no token: `))
  })

  it('of the environment that is none is named likewise', async () => {
    process.env.RELAY_TOKEN = 'a\nb'
    expect((await list('--admin', port.url)).err).toMatch(/^RELAY_TOKEN holds no token: /)
  })

  it('that is wrong is refused and not shown, but where it came from is', async () => {
    const wrong = 'B'.repeat(43)
    const file = write('token', wrong)
    expect(await list('--admin', port.url, '--token-file', file)).toEqual({
      out: '',
      err: `The token is not one of this relay: it is that of ${file}\n`,
      code: 1,
    })
    process.env.RELAY_TOKEN = wrong
    expect((await list('--admin', port.url)).err).toContain('it is that of RELAY_TOKEN')
  })

  it('that may not do this is told what it lacks', async () => {
    process.env.RELAY_TOKEN = await port.tokenFor('read')
    expect(await list('--admin', port.url)).toMatchObject({
      err: 'This needs a token with the scope admin\n',
      code: 1,
    })
  })

  it('of this machine is sent nowhere else', async () => {
    await withLocalToken()
    const config = configured({ port: port.admin.port })
    const { err, code } = await list('--config', config, '--admin', 'http://relay.invalid:8080')
    expect(code).toBe(1)
    expect(err).toMatch(/^The relay at http:\/\/relay\.invalid:8080 is not that of the configuration/)
  })

  it('does not follow the relay to another place', async () => {
    process.env.RELAY_TOKEN = localToken
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url!)
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    expect(await list('--admin', url)).toMatchObject({
      err: `The relay at ${url} answered 302\n`,
      code: 1,
    })
    expect(asked).toEqual(['/tokens'])
    await new Promise((resolve) => server.close(resolve))
  })
})

it('waits where it asks faster than the relay answers', async () => {
  port = await startAdminPort()
  process.env.RELAY_TOKEN = localToken
  while ((await port.ask('/tokens')).code !== 429);
  const listed = list('--admin', port.url)
  setTimeout(() => port.clock.advance(1000), 500)
  expect(await listed).toMatchObject(reached)
}, 20_000)

describe('a relay that speaks TLS', () => {
  let certificates: Certificates
  beforeAll(() => {
    certificates = makeCertificates()
  })
  afterAll(() => certificates.remove())

  async function start({ cert, key }: Certificate): Promise<{ cert: string; key: string }> {
    const certificate = { cert: write('cert.pem', cert), key: write('key.pem', key) }
    port = await startAdminPort({ config: { address: '127.0.0.1', port: 0, certificate } })
    process.env.RELAY_TOKEN = localToken
    return certificate
  }

  it.each(['good', 'selfSigned', 'chained', 'withoutIntermediate'] as const)(
    'is known by the certificate of the configuration, whatever name it is for: %s',
    async (name) => {
      const certificate = await start(certificates[name])
      expect(await list('--config', configured({ port: port.admin.port, certificate }))).toMatchObject(
        reached,
      )
    },
  )

  it('is another where it shows another certificate, also one of the same authority', async () => {
    const certificate = await start(certificates.good)
    write('cert.pem', certificates.chained.cert)
    const { err, code } = await list('--config', configured({ port: port.admin.port, certificate }))
    expect(code).toBe(1)
    expect(err).toMatch(/^Cannot reach the relay at https:\/\/127\.0\.0\.1:\d+: /)
  })

  it('is another where it shows one that the certificate of the configuration signed', async () => {
    const certificate = await start(certificates.chained)
    const [, intermediate] = certificates.chained.cert.split(/(?<=END CERTIFICATE-----\n)/)
    write('cert.pem', intermediate!)
    const { err } = await list('--config', configured({ port: port.admin.port, certificate }))
    expect(err).toContain('shows another certificate than that of the configuration')
  })

  it('is believed by --admin as far as the system, or --ca-file, says', async () => {
    await start(certificates.address)
    const asked = ['--admin', port.url]
    expect(await list(...asked)).toMatchObject({ code: 1, err: expect.stringContaining('Cannot reach') })
    const ca = write('ca.pem', certificates.ca)
    expect(await list(...asked, '--ca-file', ca)).toMatchObject(reached)
    const other = write('other.pem', certificates.otherCa)
    expect((await list(...asked, '--ca-file', other)).code).toBe(1)
    expect((await list(...asked, '--ca-file', join(directory, 'nowhere'))).err).toContain('nowhere')
    const none = write('none.pem', certificates.address.key)
    expect((await list(...asked, '--ca-file', none)).err).toContain('holds no certificate')
  })

  it('must show the name that --admin gives it', async () => {
    await start(certificates.good)
    const ca = write('ca.pem', certificates.ca)
    const { err, code } = await list('--admin', port.url, '--ca-file', ca)
    expect(code).toBe(1)
    expect(err).toContain('127.0.0.1')
  })

  it('gets no token before it is known', async () => {
    const certificate = await start(certificates.selfSigned)
    const config = configured({ port: port.admin.port, certificate })
    process.env.RELAY_TOKEN = 'B'.repeat(43)
    write('cert.pem', certificates.good.cert)
    expect((await list('--config', config)).err).toContain('Cannot reach')
    expect(port.logged()).not.toContain('A token was refused')
    write('cert.pem', certificates.selfSigned.cert)
    expect((await list('--config', config)).err).toContain('The token is not one of this relay')
    expect(port.logged()).toContain('A token was refused')
  })
})
