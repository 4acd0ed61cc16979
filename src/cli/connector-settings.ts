/**
 * The settings of a connector as options. Those that Exchange's New-SendConnector has are named as there, and their
 * values are taken in any letters: `-TlsAuthLevel DomainValidation` is `--tls-auth-level DomainValidation`.
 */
import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { decodeUtf8, reasonOf } from '../config/secret-reader.ts'

/** Commander has no null: what takes a setting back stays a word until it is sent. */
type Rate = number | 'unlimited'

export interface SettingOptions {
  readonly name?: string
  readonly smartHosts?: readonly string[]
  readonly addressSpaces?: readonly string[]
  readonly port?: number
  readonly tls?: string
  readonly requireTls?: boolean
  readonly tlsAuthLevel?: string
  readonly tlsDomain?: string
  readonly smartHostCaFile?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly fqdn?: string
  readonly default?: boolean
  readonly maxMessageSize?: string
  readonly protocolLoggingLevel?: string
  readonly maxConnections?: number
  readonly smtpMaxMessagesPerConnection?: number
  readonly maxMessagesPerSecond?: Rate
  readonly maxMessagesPerMinute?: Rate
  readonly maxMessagesPerHour?: Rate
  readonly maxMessagesPerDay?: Rate
  readonly maxRecipientsPerDay?: Rate
}

export function addSettingOptions(command: Command): Command {
  const options = [
    new Option('--name <name>', 'its name, the last tie-break of routing'),
    new Option('--smart-hosts <hosts>', 'names or IP addresses, separated by commas').argParser(list),
    new Option(
      '--address-spaces <spaces>',
      'such as "SMTP:*.example.org;10,example.net"; none: reached by senders only',
    ).argParser(spaces),
    new Option('--port <port>', 'of all its smart hosts').argParser(count),
    choice(
      '--tls <how>',
      ['starttls', 'implicit'],
      'implicit is TLS from the first byte, usually at port 465',
    ),
    new Option('--require-tls', 'send nothing without TLS'),
    new Option('--no-require-tls', 'send without TLS where it is not offered'),
    choice(
      '--tls-auth-level <level>',
      ['encryptionOnly', 'certificateValidation', 'domainValidation'],
      'what the certificate must prove',
    ),
    new Option('--tls-domain <name>', "the name the certificate must carry; none: the smart host's own"),
    new Option(
      '--smart-host-ca-file <file>',
      "PEM to trust at the smart hosts, read and sent; none: the system's store",
    ),
    new Option('--client-certificate <file>', 'PEM to present, read and sent; none: nothing'),
    new Option('--client-key <file>', 'PEM with its private key, read and sent'),
    new Option('--fqdn <name>', "the name in EHLO; none: the relay's hostname"),
    new Option('--max-message-size <size>', 'such as 35MB; larger messages do not leave by it'),
    new Option('--default', 'takes what no sender binding and no address space takes'),
    new Option('--no-default', 'does not'),
    choice('--protocol-logging-level <level>', ['none', 'verbose'], 'verbose logs the SMTP dialogue'),
    new Option('--max-connections <number>', 'at the same time').argParser(count),
    new Option('--smtp-max-messages-per-connection <number>', 'then a new connection').argParser(count),
    ...[
      'messages-per-second',
      'messages-per-minute',
      'messages-per-hour',
      'messages-per-day',
      'recipients-per-day',
    ].map((rate) =>
      new Option(`--max-${rate} <number>`, 'over it mail waits; unlimited: no limit').argParser(orUnlimited),
    ),
  ]
  for (const option of options) command.addOption(option)
  return command
}

/** As the API takes them: what was not named is left out, null is the default. Rejects where a file cannot be read. */
export async function settingsFrom(options: SettingOptions): Promise<Record<string, unknown>> {
  const { name, smartHosts, addressSpaces, port, tls, tlsAuthLevel } = options
  return withoutUndefined({
    ...{ name, smartHosts, addressSpaces, port, tls, tlsAuthLevel },
    tlsDomain: orNone(options.tlsDomain),
    fqdn: orNone(options.fqdn),
    requireTLS: options.requireTls,
    default: options.default,
    ca: await pemOf(options.smartHostCaFile),
    clientCertificate: await clientCertificateOf(options),
    maxSendSize: options.maxMessageSize,
    protocolLogging: options.protocolLoggingLevel,
    limits: limitsFrom(options),
  })
}

function limitsFrom(options: SettingOptions): Record<string, unknown> | undefined {
  const limits = withoutUndefined({
    connections: options.maxConnections,
    messagesPerConnection: options.smtpMaxMessagesPerConnection,
    messagesPerSecond: rateOf(options.maxMessagesPerSecond),
    messagesPerMinute: rateOf(options.maxMessagesPerMinute),
    messagesPerHour: rateOf(options.maxMessagesPerHour),
    messagesPerDay: rateOf(options.maxMessagesPerDay),
    recipientsPerDay: rateOf(options.maxRecipientsPerDay),
  })
  return Object.keys(limits).length === 0 ? undefined : limits
}

async function clientCertificateOf({ clientCertificate, clientKey }: SettingOptions): Promise<unknown> {
  if (clientCertificate === undefined && clientKey === undefined) return undefined
  if (orNone(clientCertificate) === null) return null
  return withoutUndefined({ cert: await pemOf(clientCertificate), key: await pemOf(clientKey) })
}

async function pemOf(file: string | undefined): Promise<string | null | undefined> {
  if (file === undefined || orNone(file) === null) return orNone(file)
  try {
    return decodeUtf8(await readFile(file))
  } catch (cause) {
    throw new Error(`${file} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

const withoutUndefined = (given: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))

export function choice(flags: string, values: readonly string[], description: string): Option {
  return new Option(flags, `${values.join(' | ')}: ${description}`).argParser((text) => {
    const found = values.find((value) => value.toLowerCase() === text.toLowerCase())
    if (found === undefined) throw new InvalidArgumentError(`It must be one of ${values.join(', ')}.`)
    return found
  })
}

const list = (text: string): string[] => text.split(',').map((entry) => entry.trim())
const spaces = (text: string): string[] => (orNone(text) === null ? [] : list(text))
const orNone = (text: string | undefined): string | null | undefined =>
  text?.toLowerCase() === 'none' ? null : text
const rateOf = (rate: Rate | undefined): number | null | undefined => (rate === 'unlimited' ? null : rate)
const orUnlimited = (text: string): Rate => (text.toLowerCase() === 'unlimited' ? 'unlimited' : count(text))

function count(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}
