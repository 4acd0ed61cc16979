import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { registerDkim } from '../../src/cli/dkim.ts'
import { configSchema } from '../../src/config/schema.ts'
import { runCommand } from './run-command.ts'

let directory: string
const at = (name: string) => join(directory, name)

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-dkim-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const named = ['--domain', 'Example.com', '--selector', '2026']
const make = (file: string, ...args: string[]) =>
  runCommand(registerDkim, ['dkim', 'new', ...named, '--out', at(file), ...args])
const show = (file: string, ...args: string[]) =>
  runCommand(registerDkim, ['dkim', 'show', ...named, '--key', at(file), ...args])

it('makes a key that only its owner may read, and prints its record and its entry', async () => {
  const { out, err, code } = await make('rsa.pem')
  expect({ err, code }).toEqual({ err: '', code: 0 })
  const key = createPrivateKey(readFileSync(at('rsa.pem')))
  expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 })
  if (process.platform !== 'win32') expect(statSync(at('rsa.pem')).mode & 0o777).toBe(0o600)
  const value = `v=DKIM1; k=rsa; p=${createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64')}`
  expect(out).toBe(`DNS record of type TXT

  name   2026._domainkey.example.com
  value  ${value}

The value in strings of at most 255 octets:

  ${value.slice(0, 255)}
  ${value.slice(255)}

Line of a zone file:

  2026._domainkey.example.com. IN TXT "${value.slice(0, 255)}" "${value.slice(255)}"

Entry for the configuration, once DNS has the record:

  policy:
    dkim:
      - { domain: example.com, selector: "2026", key: { file: ${JSON.stringify(at('rsa.pem'))} } }
`)
  expect((await show('rsa.pem')).out).toBe(out)
})

it('prints an entry that the configuration takes', async () => {
  const { out } = await make('entry.pem', '--algorithm', 'ed25519')
  const printed = parse(out.slice(out.indexOf('  policy:'))) as { policy: unknown }
  const entry = { domain: 'example.com', selector: '2026', key: { file: at('entry.pem') } }
  expect(configSchema.shape.policy.parse(printed.policy)).toMatchObject({ dkim: [entry] })
})

it('prints JSON where asked, and a short value in one string', async () => {
  const { out } = await make('ed25519.pem', '--algorithm', 'ed25519', '--json')
  const key = createPrivateKey(readFileSync(at('ed25519.pem')))
  const raw = createPublicKey(key).export({ format: 'jwk' }).x!
  const value = `v=DKIM1; k=ed25519; p=${Buffer.from(raw, 'base64url').toString('base64')}`
  expect(JSON.parse(out)).toEqual({
    domain: 'example.com',
    selector: '2026',
    key: { file: at('ed25519.pem') },
    record: {
      type: 'TXT',
      name: '2026._domainkey.example.com',
      value,
      strings: [value],
      zoneLine: `2026._domainkey.example.com. IN TXT "${value}"`,
    },
    configuration: expect.stringContaining('selector: "2026"'),
  })
  expect((await show('ed25519.pem', '--json')).out).toBe(out)
  expect((await show('ed25519.pem')).out).not.toContain('The value in strings')
})

it('makes an RSA key as long as asked', async () => {
  await make('long.pem', '--bits', '3072')
  expect(createPrivateKey(readFileSync(at('long.pem'))).asymmetricKeyDetails).toMatchObject({
    modulusLength: 3072,
  })
})

it('never overwrites a file', async () => {
  writeFileSync(at('mine.pem'), 'mine')
  const { out, err, code } = await make('mine.pem')
  expect({ out, code }).toEqual({ out: '', code: 1 })
  expect(err).toBe(`Cannot keep the key: the file exists, and stays as it is: ${at('mine.pem')}\n`)
  expect(readFileSync(at('mine.pem'), 'utf8')).toBe('mine')
})

it.each([
  ['no-such-directory/key.pem', 'Cannot keep the key: there is no such file'],
  ['', 'Cannot keep the key'],
])('says why it cannot keep a key in %j', async (file, message) => {
  expect(await make(file)).toMatchObject({ out: '', code: 1, err: expect.stringContaining(message) })
})

it('says why it cannot show a key', async () => {
  writeFileSync(at('text.pem'), 'canary')
  expect(await show('missing.pem')).toMatchObject({
    out: '',
    code: 1,
    err: expect.stringContaining('--key cannot be read: there is no such file'),
  })
  const { err, code } = await show('text.pem')
  expect({ err, code }).toEqual({
    code: 1,
    err: `--key holds no private key in PEM form, or one with a passphrase: ${at('text.pem')}\n`,
  })
})

it('warns of a weak key, and shows it', async () => {
  await make('weak.pem', '--bits', '1024')
  const { out, err, code } = await show('weak.pem')
  expect(code).toBe(0)
  expect(err).toContain('warning: --key holds an RSA key of 1024 bits')
  expect(out).toContain('v=DKIM1; k=rsa;')
})

it.each([
  [['new', '--selector', 's', '--out', 'x'], "'--domain <domain>' not specified"],
  [['new', '--domain', 'a', '--selector', 's'], "'--out <file>' not specified"],
  [['new', '--domain', 'a_b.example', '--selector', 's', '--out', 'x'], '--domain must be a domain name'],
  [['new', '--domain', 'a', '--selector', 's t', '--out', 'x'], '--selector must be a selector such as'],
  [['new', '--domain', 'a', '--selector', 's', '--out', 'x', '--bits', '512'], "'512' is invalid"],
  [['new', '--domain', 'a', '--selector', 's', '--out', 'x', '--algorithm', 'dsa'], "'dsa' is invalid"],
  [['show', '--domain', 'a', '--selector', 's'], "'--key <file>' not specified"],
])('wrong usage ends with 2: %j', async (args, message) => {
  expect(await runCommand(registerDkim, ['dkim', ...args])).toMatchObject({
    out: '',
    code: 2,
    err: expect.stringContaining(message),
  })
})
