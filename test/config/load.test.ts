import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configFile, type LoadedConfig, loadConfig } from '../../src/config/load.ts'

let directory: string
const at = (name: string) => join(directory, name)

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-config-'))
  for (const name of ['one', 'two'])
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
      ].concat(['-subj', '/CN=smtp.example.com', '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]),
      { stdio: 'ignore' },
    )
  writeFileSync(at('password'), 'päss word\r\n')
  writeFileSync(at('bom'), '\ufeffsecret\n')
  writeFileSync(at('blank-line'), 'secret\n\n')
  writeFileSync(at('empty'), '\n')
  writeFileSync(at('utf16'), Buffer.from('secret\r\n', 'utf16le'))
  writeFileSync(at('latin1'), Buffer.from('p\xe4ss', 'latin1'))
  writeFileSync(at('broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
})

afterAll(() => rmSync(directory, { recursive: true }))

const head = `
hostname: relay.example.com
listeners: [{ name: a, port: 2525 }]
`

async function load(text: string, env: Record<string, string> = {}) {
  writeFileSync(at('relay.yaml'), text)
  return loadConfig(at('relay.yaml'), { env })
}

async function loaded(text: string, env: Record<string, string> = {}): Promise<LoadedConfig> {
  const result = await load(text, env)
  if ('errors' in result) throw new Error(JSON.stringify(result.errors))
  return result
}

async function errorsOf(text: string, env: Record<string, string> = {}): Promise<string[]> {
  const result = await load(text, env)
  return 'errors' in result ? result.errors.map(({ path, message }) => `${path}: ${message}`) : []
}

const connector = (id: number, keys: string) =>
  `  - { id: ${id}, name: C${id}, addressSpaces: ["*"], smartHosts: [smtp.example.com], requireTLS: true${keys} }\n`
const withPassword = (reference: string) =>
  `${head}connectors:\n${connector(1, `, smartHostAuthMechanism: basicAuth, user: u, password: ${reference}`)}`

describe('secrets', () => {
  it.each([
    ['{ env: PROVIDER }', 'from the environment'],
    ['{ file: FILE/password }', 'päss word'], // one line break at the end is no part of it
    ['{ file: FILE/bom }', 'secret'],
  ])('are read from %s', async (reference, password) => {
    const { connectors } = await loaded(withPassword(reference.replace('FILE', directory)), {
      PROVIDER: 'from the environment',
    })
    expect(connectors[0]!.password).toBe(password)
  })

  it.each([
    ['{ env: NOT_SET }', 'env: names the environment variable NOT_SET, which is not set'],
    ['{ env: EMPTY }', 'env: holds no secret: the environment variable EMPTY is empty'],
    ['{ file: FILE/missing }', 'file: cannot be read: there is no such file'],
    ['{ file: FILE }', 'file: cannot be read: it is a directory'],
    ['{ file: FILE/empty }', 'file: holds no secret: the file'],
    ['{ file: FILE/blank-line }', 'file: must be one line'],
    ['{ file: FILE/utf16 }', 'file: cannot be read: it is not text in UTF-8'],
    ['{ file: FILE/latin1 }', 'file: cannot be read: it is not text in UTF-8'],
  ])('refuse %s', async (reference, message) => {
    const errors = await errorsOf(withPassword(reference.replace('FILE', directory)), { EMPTY: '' })
    expect(errors).toEqual([expect.stringContaining(`connectors[0].password.${message}`)])
    expect(errors.join()).not.toContain('secret\n')
  })

  it.skipIf(process.getuid?.() === 0)('refuse a file that may not be read', async () => {
    writeFileSync(at('private'), 'x')
    chmodSync(at('private'), 0o000)
    expect(await errorsOf(withPassword(`{ file: ${at('private')} }`))).toEqual([
      expect.stringContaining('this user may not read it'),
    ])
  })
})

it('refuses a password in the place of its hash, without repeating it', async () => {
  const text = `${head}access: { users: [{ name: u, passwordHash: hunter2, senders: ["*"] }] }
connectors:
${connector(1, '')}`
  expect(await errorsOf(text)).toEqual([
    'access.users[0].passwordHash: must be a hash as printed by: relay password (never the password itself)',
  ])
})

describe('certificates', () => {
  it('are read with their keys, and CAs as they are', async () => {
    const pair = `clientCertificate: { cert: ${at('one.pem')}, key: ${at('one.key')} }`
    const { connectors } = await loaded(
      `${head}connectors:\n${connector(1, `, caFile: ${at('two.pem')}, ${pair}, fqdn: mail.example.com`)}${connector(2, '')}`,
    )
    expect(connectors[0]).toMatchObject({
      ca: expect.stringContaining('BEGIN CERTIFICATE'),
      clientCertificate: { key: expect.stringContaining('BEGIN PRIVATE KEY') },
      fqdn: 'mail.example.com',
      password: null,
    })
    expect(connectors[1]).toMatchObject({ ca: null, clientCertificate: null, fqdn: 'relay.example.com' })
  })

  it.each([
    ['caFile: FILE/missing', 'caFile: cannot be read: there is no such file'],
    ['caFile: FILE/password', 'caFile: holds no certificate in PEM form'],
    ['caFile: FILE/broken.pem', 'caFile: holds a broken certificate, number 1'],
    [
      'clientCertificate: { cert: FILE/password, key: FILE/one.key }',
      'clientCertificate.cert: holds no certificate',
    ],
    [
      'clientCertificate: { cert: FILE/one.pem, key: FILE/one.pem }',
      'clientCertificate.key: holds no private key',
    ],
    [
      'clientCertificate: { cert: FILE/one.pem, key: FILE/two.key }',
      'clientCertificate.key: holds another key than',
    ],
  ])('refuse %s', async (keys, message) => {
    const text = `${head}connectors:\n${connector(1, `, ${keys.replaceAll('FILE', directory)}`)}`
    expect(await errorsOf(text)).toEqual([expect.stringContaining(`connectors[0].${message}`)])
  })

  it('are tried for listeners too', async () => {
    const text = `hostname: relay.example.com
listeners: [{ name: a, port: 2525, certificate: { cert: ${at('one.pem')}, key: ${at('two.key')} } }]
connectors:
${connector(1, '')}`
    expect(await errorsOf(text)).toEqual([
      expect.stringContaining('listeners[0].certificate.key: holds another key'),
    ])
  })
})

describe('DKIM keys', () => {
  const key = (name: string, options: string[]) => {
    execFileSync('openssl', ['genpkey', ...options, '-out', at(name)], { stdio: 'ignore' })
    chmodSync(at(name), 0o600)
  }
  const withKeys = (...files: string[]) => {
    const entries = files.map(
      (file, index) => `{ domain: example.com, selector: s${index}, key: { file: ${at(file)} } }`,
    )
    return `${head}connectors:\n${connector(1, '')}policy: { dkim: [${entries.join(', ')}] }\n`
  }
  const rsa = (bits: number) => ['-algorithm', 'rsa', '-pkeyopt', `rsa_keygen_bits:${bits}`]
  const warnings = async (...files: string[]) =>
    (await loaded(withKeys(...files))).warnings.map(({ path, message }) => `${path}: ${message}`)

  beforeAll(() => {
    key('rsa.pem', rsa(2048))
    key('rsa-1024.pem', rsa(1024))
    key('rsa-512.pem', rsa(512))
    key('ed25519.pem', ['-algorithm', 'ed25519'])
    key('ec.pem', ['-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'])
    key('locked.pem', [...rsa(2048), '-aes256', '-pass', 'pass:canary'])
    execFileSync('openssl', ['rsa', '-traditional', '-in', at('rsa.pem'), '-out', at('pkcs1.pem')], {
      stdio: 'ignore',
    })
    chmodSync(at('pkcs1.pem'), 0o600)
    execFileSync('openssl', ['rsa', '-pubout', '-in', at('rsa.pem'), '-out', at('public.pem')], {
      stdio: 'ignore',
    })
  })

  it('are read with their algorithm, in their order', async () => {
    const { dkimKeys, warnings } = await loaded(withKeys('ed25519.pem', 'rsa.pem', 'pkcs1.pem'))
    expect(dkimKeys).toMatchObject([
      { domain: 'example.com', selector: 's0', algorithm: 'ed25519-sha256' },
      { domain: 'example.com', selector: 's1', algorithm: 'rsa-sha256' },
      { domain: 'example.com', selector: 's2', algorithm: 'rsa-sha256' },
    ])
    expect(dkimKeys.map((each) => each.privateKey.asymmetricKeyType)).toEqual(['ed25519', 'rsa', 'rsa'])
    expect(warnings).toEqual([])
  })

  it('are none where none are configured', async () => {
    expect((await loaded(`${head}connectors:\n${connector(1, '')}`)).dkimKeys).toEqual([])
  })

  it.each([
    ['missing.pem', 'cannot be read: there is no such file'],
    ['public.pem', 'holds no private key in PEM form'],
    ['one.pem', 'holds no private key in PEM form'],
    ['locked.pem', 'holds no private key in PEM form, or one with a passphrase'],
    ['rsa-512.pem', 'holds an RSA key of 512 bits, which nobody accepts'],
    ['ec.pem', 'holds a key of another type than RSA and Ed25519 (ec)'],
  ])('are refused: %s', async (file, message) => {
    expect(await errorsOf(withKeys('rsa.pem', file))).toEqual([
      expect.stringContaining(`policy.dkim[1].key: ${message}`),
    ])
  })

  it('are told from where they are doubtful', async () => {
    expect(await warnings('rsa-1024.pem')).toEqual([
      expect.stringContaining('policy.dkim[0].key: holds an RSA key of 1024 bits, where 2048 are usual'),
    ])
    expect(await warnings('ed25519.pem')).toEqual([
      expect.stringContaining('policy.dkim[0]: signs example.com with Ed25519 alone'),
    ])
  })

  it.skipIf(process.platform === 'win32')('should not be readable by everybody', async () => {
    key('open.pem', rsa(2048))
    for (const [mode, expected] of [
      [0o644, [expect.stringContaining('policy.dkim[0].key: can be read by every user of this machine')]],
      [0o640, []],
    ] as const) {
      chmodSync(at('open.pem'), mode)
      expect(await warnings('open.pem')).toEqual(expected)
    }
  })
})

it('tells the errors of the schema, of secrets and of the environment all at once', async () => {
  const text = `
hostname: relay.example.com
listeners: [{ name: a, port: 70000, certificate: { cert: ${at('gone.pem')}, key: ${at('gone.key')} } }]
connectors:
${connector(1, ', port: 0, smartHostAuthMechanism: basicAuth, user: u, password: { env: NOT_SET }')}`
  const errors = await errorsOf(text, { NODE_TLS_REJECT_UNAUTHORIZED: '0', REDIS_URL: 'http://127.0.0.1' })
  expect(errors.map((line) => line.split(': ')[0]).sort()).toEqual([
    'NODE_TLS_REJECT_UNAUTHORIZED',
    'REDIS_URL',
    'connectors[0].password.env',
    'connectors[0].port',
    'listeners[0].certificate.cert',
    'listeners[0].certificate.key',
    'listeners[0].port',
  ])
})

describe('the environment', () => {
  const plain = `${head}connectors:\n${connector(1, '')}`

  it('selects Redis by REDIS_URL, and takes user and password out of it', async () => {
    const { config, redis } = await loaded(plain, {
      REDIS_URL: 'rediss://relay:p%40ss@redis.example.com:6380/2',
    })
    expect(config.queue).toMatchObject({
      store: 'redis',
      redis: { url: 'rediss://redis.example.com:6380/2' },
    })
    expect(redis).toMatchObject({
      url: 'rediss://redis.example.com:6380/2',
      username: 'relay',
      password: 'p@ss',
      durability: 'strict',
    })
    expect(JSON.stringify(config)).not.toContain('p@ss')
  })

  it('leaves the store alone where REDIS_URL is empty', async () => {
    const { config, redis } = await loaded(plain, { REDIS_URL: '' })
    expect(config.queue.store).toBe('embedded')
    expect(redis.password).toBeNull()
  })

  it.each([
    'redis://',
    'http://127.0.0.1',
    '127.0.0.1:6379',
    'redis://127.0.0.1/relay',
    'redis://h?x=hunter2',
  ])('refuses REDIS_URL %s without repeating it', async (url) => {
    const errors = await errorsOf(plain, { REDIS_URL: url })
    expect(errors).toEqual([expect.stringContaining('REDIS_URL: in the environment must ')])
    expect(errors.join()).not.toContain('hunter2')
  })

  it("reads the file's Redis password only where Redis is used", async () => {
    const queue = (store: string) =>
      `${plain}queue: { store: ${store}, redis: { username: r, password: { env: REDIS_PASSWORD } } }\n`
    expect((await loaded(queue('redis'), { REDIS_PASSWORD: 'x' })).redis).toMatchObject({
      username: 'r',
      password: 'x',
    })
    expect(await errorsOf(queue('redis'))).toEqual([
      expect.stringContaining('queue.redis.password.env: names'),
    ])
    expect(await errorsOf(queue('embedded'))).toEqual([])
    expect(
      (await loaded(queue('embedded'), { REDIS_URL: 'redis://h', REDIS_PASSWORD: 'x' })).redis.password,
    ).toBe('x')
  })

  it('refuses NODE_TLS_REJECT_UNAUTHORIZED=0, which would switch off every certificate check', async () => {
    expect(await errorsOf(plain, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toEqual([
      expect.stringContaining('NODE_TLS_REJECT_UNAUTHORIZED: must not be 0'),
    ])
    expect(await errorsOf(plain, { NODE_TLS_REJECT_UNAUTHORIZED: '1' })).toEqual([])
  })

  it('names the file by RELAY_CONFIG, after --config', () => {
    expect(configFile(undefined, {})).toBe('config/relay.yaml')
    expect(configFile(undefined, { RELAY_CONFIG: '/etc/relay.yaml' })).toBe('/etc/relay.yaml')
    expect(configFile(undefined, { RELAY_CONFIG: '' })).toBe('config/relay.yaml')
    expect(configFile('mine.yaml', { RELAY_CONFIG: '/etc/relay.yaml' })).toBe('mine.yaml')
  })
})

it('says why the file itself cannot be read', async () => {
  const result = await loadConfig(at('no-such.yaml'), { env: {} })
  expect(result).toMatchObject({
    errors: [{ path: '', message: 'the configuration cannot be read: there is no such file', line: null }],
  })
})
