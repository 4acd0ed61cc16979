/**
 * `relay dkim`: makes a key for DKIM signatures, and prints what belongs into DNS and into the configuration. A key
 * file is never overwritten: mail signed with the old key may still be on its way.
 */
import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type Command, Option } from 'commander'
import { type DkimConfig, dkimSchema } from '../config/policy-schema.ts'
import { reasonOf, SecretReader } from '../config/secret-reader.ts'
import { type DkimRecord, dkimRecord } from '../message/dkim-record.ts'

interface Options {
  readonly domain: string
  readonly selector: string
  readonly json?: boolean
}

interface NewOptions extends Options {
  readonly algorithm: 'rsa' | 'ed25519'
  readonly bits: string
  readonly out: string
}

export function registerDkim(program: Command): void {
  const dkim = program.command('dkim').description('keys for DKIM signatures (policy.dkim)')
  withName(dkim.command('new'))
    .description('make a key, and print its DNS record and its entry for the configuration')
    .addOption(new Option('--algorithm <name>', 'of the key').choices(['rsa', 'ed25519']).default('rsa'))
    .addOption(
      new Option('--bits <number>', 'of an RSA key')
        .choices(['1024', '2048', '3072', '4096'])
        .default('2048'),
    )
    .requiredOption('--out <file>', 'where to keep the private key; it must not exist')
    .action(async (options: NewOptions, command: Command) => {
      const entry = entryOf(options, { file: options.out, command })
      const { publicKey, privateKey } = await makeKey(options)
      await keep(privateKey.export({ type: 'pkcs8', format: 'pem' }), options.out)
      print(entry, { publicKey, command, json: options.json })
    })
  withName(dkim.command('show'))
    .description('print the DNS record of a key, and its entry for the configuration')
    .requiredOption('--key <file>', 'the private key')
    .action(async (options: Options & { readonly key: string }, command: Command) => {
      const entry = entryOf(options, { file: options.key, command })
      const publicKey = createPublicKey(await readKey(options.key, command))
      print(entry, { publicKey, command, json: options.json })
    })
}

function withName(command: Command): Command {
  return command
    .requiredOption('--domain <domain>', 'whose mail the key signs')
    .requiredOption('--selector <name>', 'the name of the key in DNS, such as 2026a')
    .option('--json', 'print JSON')
}

/** Held to what the configuration takes, so that the entry that is printed is one. */
function entryOf(
  { domain, selector }: Options,
  { file, command }: { file: string; command: Command },
): DkimConfig {
  const result = dkimSchema.safeParse({ domain, selector, key: { file } })
  if (result.success) return result.data
  const wrong = result.error.issues.map(({ path, message }) => `--${path.join('.')} ${message}`)
  return command.error(`error: ${wrong.join('\n')}`, { exitCode: 2 })
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

const generate: {
  (type: 'rsa', options: { modulusLength: number }): Promise<KeyPair>
  (type: 'ed25519'): Promise<KeyPair>
} = promisify(generateKeyPair)

function makeKey({ algorithm, bits }: NewOptions): Promise<KeyPair> {
  return algorithm === 'ed25519' ? generate('ed25519') : generate('rsa', { modulusLength: Number(bits) })
}

async function keep(pem: string | Buffer, file: string): Promise<void> {
  try {
    await writeFile(file, pem, { mode: 0o600, flag: 'wx', flush: true })
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    const reason = exists ? 'the file exists, and stays as it is' : reasonOf(cause)
    throw new Error(`Cannot keep the key: ${reason}: ${file}`)
  }
}

async function readKey(file: string, command: Command): Promise<KeyObject> {
  const reader = new SecretReader({})
  const key = await reader.dkimKey(file, [])
  const told = (severity: 'error' | 'warning') =>
    reader.findings
      .filter((finding) => finding.severity === severity)
      .map(({ message }) => `--key ${message}`)
  const { writeErr } = command.configureOutput()
  for (const warning of told('warning')) writeErr!(`warning: ${warning}\n`)
  if (key === null) throw new Error(told('error').join('\n'))
  return key
}

function print(
  entry: DkimConfig,
  options: { publicKey: KeyObject; command: Command; json: boolean | undefined },
): void {
  const { writeOut } = options.command.configureOutput()
  const record = dkimRecord({ ...entry, publicKey: options.publicKey })
  const configuration = yamlEntry(entry)
  writeOut!(
    options.json
      ? `${JSON.stringify({ ...entry, record: { type: 'TXT', ...record }, configuration }, null, 2)}\n`
      : render(record, configuration),
  )
}

/** In quotes, which YAML and JSON share: a selector of digits alone would be a number. */
function yamlEntry({ domain, selector, key }: DkimConfig): string {
  const [name, file] = [JSON.stringify(selector), JSON.stringify(key.file)]
  return `- { domain: ${domain}, selector: ${name}, key: { file: ${file} } }`
}

function render({ name, value, strings, zoneLine }: DkimRecord, configuration: string): string {
  const pieces = strings.map((part) => `  ${part}\n`).join('')
  const inStrings = strings.length === 1 ? '' : `\nThe value in strings of at most 255 octets:\n\n${pieces}`
  return `DNS record of type TXT

  name   ${name}
  value  ${value}
${inStrings}
Line of a zone file:

  ${zoneLine}

Entry for the configuration, once DNS has the record:

  policy:
    dkim:
      ${configuration}
`
}
