/**
 * The configuration, once: types, defaults, validation, the annotated reference (config/relay.yaml) and the
 * JSON Schema all come from here. Text in `.describe()` is the reference's comment. Durations are
 * milliseconds and sizes bytes after parsing; a secret stays a reference until `resolveSecrets`.
 */
import { z } from 'zod'
import { isSenderPattern } from '../policy/sender-rights.ts'
import { policySchema } from './policy-schema.ts'
import {
  address,
  addressSpace,
  certificateFiles,
  certificateName,
  connectorId,
  count,
  dayMs,
  domain,
  duration,
  hourMs,
  ipAddress,
  line,
  MB,
  minuteMs,
  network,
  port,
  secret,
  size,
  smartHost,
} from './values.ts'

const rateLimit = () => count(1, 1_000_000_000).nullable().default(null)

const protocolLogging = () =>
  z
    .enum(['none', 'verbose'])
    .default('none')
    .describe('none | verbose (the SMTP dialogue as Exchange logs it; see protocolLogs)')

export const listenerSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and -')
    .describe('names the listener in logs and metrics'),
  address: ipAddress.default('127.0.0.1').describe('the IP address to listen on'),
  port: port.describe('0 takes a free port'),
  tls: z
    .enum(['off', 'starttls', 'required', 'implicit'])
    .default('starttls')
    .describe(
      'off | starttls (offered) | required (STARTTLS before MAIL) | implicit (TLS from the first byte)',
    ),
  certificate: certificateFiles
    .nullable()
    .default(null)
    .describe(
      '{ cert, key } PEM files, read again when they change; null: one self-signed certificate made once in dataDir',
    ),
  certificateNames: z
    .array(domain)
    .default([])
    .describe('further names in the self-signed certificate, beside hostname'),
  authWithoutTls: z
    .boolean()
    .default(false)
    .describe('offer AUTH outside TLS too: passwords cross the network in clear'),
  bareNewlines: z
    .enum(['reject', 'repair'])
    .default('reject')
    .describe(
      'a bare CR or LF in a message: reject (550 5.6.11) | repair (becomes CRLF; breaks signatures made before)',
    ),
  maxMessageSize: size(1024)
    .default(36 * MB)
    .describe('of a message; announced by SIZE'),
  maxRecipients: count(1, 50_000).default(1000).describe('of a message; over it RCPT gets 452 4.5.3'),
  maxHeaderSize: size(1024, 16 * MB)
    .default(256 * 1024)
    .describe('of all header fields together'),
  maxLineLength: size(1000, 16 * MB)
    .default(64 * 1024)
    .describe('of one line of a message, with CRLF'),
  maxHops: count(1, 100).default(50).describe('Received fields in a message; over it 554 5.4.6'),
  maxSessions: count(1, 100_000).default(5000).describe('at the same time'),
  maxSessionsPerAddress: count(1, 100_000).default(1000).describe('at the same time from one client address'),
  maxCommands: count(10, 10_000_000).default(100_000).describe('in one session'),
  idleTimeout: duration(1000, hourMs)
    .default(5 * minuteMs)
    .describe('no byte from the client for so long: 421 (RFC 5321 asks for 5m)'),
  sessionTimeout: duration(1000, 7 * dayMs)
    .default(2 * hourMs)
    .describe('a whole session, however busy'),
  protocolLogging: protocolLogging(),
})
export type ListenerConfig = z.infer<typeof listenerSchema>

const senders = z
  .array(z.string().refine(isSenderPattern, 'must be user@example.com, *@example.com or *'))
  .min(1)

const userSchema = z.strictObject({
  name: z.string().min(1).max(255).describe('the user name of AUTH'),
  passwordHash: z.string().min(1).describe('as printed by: relay password'),
  senders: senders.describe('the user may use: in the envelope, and in the From field'),
})

const networkSchema = z.union(
  [
    network,
    z.strictObject({
      network: network.describe('or { network, senders }; the most specific network counts'),
      senders: senders.describe('its clients may use, and no others; a network alone: all senders'),
    }),
  ],
  {
    error: 'must be a network such as 10.0.0.0/8, or { network: 10.0.0.0/8, senders: ["*@example.com"] }',
  },
)
export type SubmittingNetwork = z.infer<typeof networkSchema>

export const connectorSchema = z.strictObject({
  id: connectorId.describe('number or word; 0 is not an id, it means "no connector"'),
  name: line(64).describe('the last tie-break of routing'),
  enabled: z
    .boolean()
    .default(true)
    .describe('false: routing does not see it, and what is bound to it waits at the client (451 4.3.2)'),
  default: z
    .boolean()
    .default(false)
    .describe('takes what no binding and no address space takes; one connector at most'),
  addressSpaces: z
    .array(addressSpace)
    .default([])
    .describe(
      '["SMTP:*.example.org;10", "*"]: domain and cost; *. is with all subdomains; [] is reached by sender bindings only',
    ),
  smartHosts: z
    .array(smartHost)
    .min(1)
    .describe('IP addresses or names; several: round robin per connection, failover to the next'),
  port: count(1, 65535)
    .default(25)
    .describe('of all smart hosts of this connector; providers mostly take 587'),
  tls: z
    .enum(['starttls', 'implicit'])
    .default('starttls')
    .describe('starttls | implicit (TLS from the first byte, usually port 465)'),
  smartHostAuthMechanism: z
    .enum(['none', 'basicAuth', 'basicAuthRequireTLS'])
    .default('none')
    .describe('none | basicAuth | basicAuthRequireTLS (never without TLS, whatever requireTLS says)'),
  user: line(255).nullable().default(null).describe('the user name of AUTH at the smart host'),
  password: secret.nullable().default(null).describe('{ env: NAME } or { file: PATH }'),
  requireTLS: z.boolean().default(false).describe('not a byte of AUTH, MAIL or DATA without TLS'),
  tlsAuthLevel: z
    .enum(['encryptionOnly', 'certificateValidation', 'domainValidation'])
    .default('domainValidation')
    .describe('encryptionOnly | certificateValidation (chain) | domainValidation (chain and name)'),
  tlsDomain: certificateName
    .nullable()
    .default(null)
    .describe("the name the certificate must carry; null: the smart host's own (needed for an IP address)"),
  caFile: z.string().min(1).nullable().default(null).describe("PEM to trust instead of the system's store"),
  clientCertificate: certificateFiles.nullable().default(null).describe('{ cert, key } PEM files to present'),
  fqdn: domain.nullable().default(null).describe('the name in EHLO; null: hostname'),
  maxSendSize: size(1024)
    .default(100 * MB)
    .describe('larger messages do not leave by this connector'),
  limits: z
    .strictObject({
      connections: count(1, 1000).default(20).describe('at the same time'),
      messagesPerConnection: count(1, 1_000_000).default(20).describe('then a new connection'),
      messagesPerSecond: rateLimit().describe(
        'in any second, wherever it begins; over it mail waits; null: no limit',
      ),
      messagesPerMinute: rateLimit().describe('in any minute'),
      messagesPerHour: rateLimit().describe('in any hour'),
      messagesPerDay: rateLimit().describe('in any 24 hours'),
      recipientsPerDay: rateLimit().describe(
        'in any 24 hours; a message to more leaves once no other is counted',
      ),
    })
    .prefault({})
    .describe('toward the smart hosts of this connector; rates count for all nodes of one queue together'),
  protocolLogging: protocolLogging(),
})
export type ConnectorConfig = z.infer<typeof connectorSchema>

const senderSchema = z.union(
  [
    z.strictObject({
      address,
      connector: z
        .union([z.literal([0, '0', null]).transform(() => null), connectorId], {
          error: 'must be the id of a connector, or 0 for none',
        })
        .describe('0: no binding, also where the domain has one'),
    }),
    z.strictObject({ domain, connector: connectorId }),
  ],
  { error: 'must be { address: user@example.com, connector: ID } or { domain: example.com, connector: ID }' },
)
export type SenderBinding = z.infer<typeof senderSchema>

export const configSchema = z.strictObject({
  hostname: domain.describe("the relay's own name: greeting, EHLO, Received, DSNs"),
  dataDir: z
    .string()
    .min(1)
    .default('./data')
    .describe('embedded store and self-signed certificate; relative to the working directory'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('debug | info | warn | error'),
    })
    .prefault({})
    .describe('JSON lines on standard output'),
  listeners: z.array(listenerSchema).min(1).describe('where mail is submitted'),
  access: z
    .strictObject({
      networks: z
        .array(networkSchema)
        .default(['127.0.0.0/8', '::1/128'])
        .describe('may submit without AUTH'),
      users: z.array(userSchema).default([]).describe('may submit after AUTH, as their own senders'),
      fromField: z
        .enum(['check', 'ignore'])
        .default('check')
        .describe(
          'of clients with senders of their own: check (it must name them too; else 550 5.7.60) | ignore (they write for others)',
        ),
    })
    .prefault({})
    .describe('who may submit; everyone else gets 550 5.7.1'),
  routing: z
    .strictObject({
      senderIdentity: z
        .enum(['envelope', 'header', 'headerOrEnvelope'])
        .default('envelope')
        .describe('whose binding counts: envelope sender | header (From field) | headerOrEnvelope'),
      unroutable: z
        .enum(['reject', 'hold'])
        .default('reject')
        .describe(
          'no connector: reject (550 5.4.4) | hold (kept as unreachable until the configuration changes)',
        ),
    })
    .prefault({})
    .describe('which connector a recipient leaves by: sender binding, address space, default connector'),
  queue: z
    .strictObject({
      store: z
        .enum(['embedded', 'redis'])
        .default('embedded')
        .describe('embedded | redis (also chosen by REDIS_URL in the environment)'),
      lease: duration(5000, hourMs)
        .default(minuteMs)
        .describe('how long an attempt owns its item without renewal'),
      maxItems: count(1, 100_000_000)
        .default(1_000_000)
        .describe('waiting items; over it DATA gets 452 4.3.1'),
      maxBytes: size(MB, 10_000 * 1024 * MB)
        .default(100 * 1024 * MB)
        .describe('of all bodies; over it DATA gets 452 4.3.1'),
      redis: z
        .strictObject({
          url: z
            .string()
            .min(1)
            .default('redis://127.0.0.1:6379')
            .describe('redis:// or rediss://, without user and password'),
          mode: z
            .enum(['single', 'sentinel', 'cluster'])
            .default('single')
            .describe('single | sentinel | cluster'),
          nodes: z
            .array(z.string().regex(/^\[?[^\s\]]+\]?:\d+$/, 'must be host:port'))
            .default([])
            .describe('sentinels or cluster nodes, host:port'),
          sentinelName: z.string().min(1).default('mymaster').describe("the master's name at the sentinels"),
          username: z
            .string()
            .min(1)
            .nullable()
            .default(null)
            .describe('of a Redis ACL; null: the default user'),
          password: secret.nullable().default(null).describe('{ env: NAME } or { file: PATH }'),
          prefix: z
            .string()
            .regex(/^[a-z0-9-]{1,32}$/)
            .default('relay')
            .describe('of every key'),
          durability: z
            .enum(['strict', 'relaxed'])
            .default('strict')
            .describe(
              'strict: start only where Redis keeps what it confirms (appendonly yes, appendfsync always, noeviction) | relaxed: warn',
            ),
        })
        .prefault({})
        .describe('where store is redis'),
    })
    .prefault({})
    .describe('where mail waits'),
  state: z
    .strictObject({
      key: secret
        .nullable()
        .default(null)
        .describe(
          '{ env: NAME } or { file: PATH }: 32 bytes in base64; null: dataDir/state-key, made once (embedded store only: nodes of one Redis need the same key)',
        ),
      formerKeys: z
        .array(secret)
        .default([])
        .describe('open what they sealed, until relay rekey has sealed it anew'),
    })
    .prefault({})
    .describe(
      'what is configured while the relay runs (beside the queue); its secrets are sealed with this key',
    ),
  connectors: z
    .array(connectorSchema)
    .default([])
    .describe(
      'how mail leaves; what stands here is read-only at run time, where others are made: relay connector new',
    ),
  senders: z
    .array(senderSchema)
    .default([])
    .describe(
      '{ address, connector } or { domain, connector }: the connector of a sender, before address spaces; more: relay sender bind',
    ),
  delivery: z
    .strictObject({
      connectionRetry: z
        .array(duration(1000, dayMs))
        .min(1)
        .default([...Array(4).fill(minuteMs), ...Array(6).fill(5 * minuteMs), 10 * minuteMs])
        .describe('a connector whose hosts all fail; the last one repeats'),
      messageRetry: z
        .array(duration(1000, dayMs))
        .min(1)
        .default([...Array(6).fill(5 * minuteMs), 10 * minuteMs])
        .describe('a message or recipient that got a 4yz; the last one repeats'),
      expireAfter: duration(5000, 90 * dayMs)
        .default(2 * dayMs)
        .describe('then the sender gets a failure DSN'),
      delayNoticeAfter: duration(1000, 30 * dayMs)
        .default(4 * hourMs)
        .describe('then the sender gets a delay DSN, once'),
      memory: size(MB, 64 * 1024 * MB)
        .default(20 * MB)
        .describe('bodies kept in memory to be delivered without reading the store'),
      shutdownTimeout: duration(1000, hourMs).default(30_000).describe('for what is in flight at SIGTERM'),
      postmaster: address
        .nullable()
        .default(null)
        .describe('the From address of DSNs; null: postmaster@hostname'),
    })
    .prefault({})
    .describe('when to try again, and when to give up'),
  policy: policySchema,
  tracking: z
    .strictObject({
      enabled: z.boolean().default(true).describe('false: nothing is written; what is there stays'),
      keep: duration(hourMs, 3650 * dayMs)
        .default(30 * dayMs)
        .describe('older files are removed'),
      maxSize: size(20 * MB, 10_000 * 1024 * MB)
        .default(1024 * MB)
        .describe('of all files together; over it the oldest are removed'),
    })
    .prefault({})
    .describe(
      "the history of each message, for relay trace: files in dataDir/tracking in the format of Exchange's message tracking log",
    ),
  protocolLogs: z
    .strictObject({
      maxFileSize: size(MB, 1024 * MB)
        .default(10 * MB)
        .describe('then a new file; there is one for each hour at least'),
      maxDirectorySize: size(2 * MB, 1024 * 1024 * MB)
        .default(250 * MB)
        .describe('of send and receive each; the oldest files are removed'),
      maxAge: duration(hourMs, 3650 * dayMs)
        .default(30 * dayMs)
        .describe('then a file is removed'),
    })
    .prefault({})
    .describe(
      'files in dataDir/protocol-logs/send and receive, for listeners and connectors with protocolLogging: verbose',
    ),
  admin: z
    .strictObject({
      address: ipAddress.default('127.0.0.1').describe('the IP address to listen on'),
      port: port.default(8080).describe('0 takes a free port'),
      certificate: certificateFiles
        .nullable()
        .default(null)
        .describe('{ cert, key } PEM files, read again when they change: TLS alone is spoken; null: no TLS'),
    })
    .prefault({})
    .describe(
      'the page, the API, /healthz, /readyz and /metrics; outside loopback only with a certificate, or behind a proxy with TLS',
    ),
  sandbox: z
    .strictObject({
      address: ipAddress.default('127.0.0.1').describe('the IP address to listen on'),
      port: port.default(2587).describe('0 takes a free port'),
      user: z.string().min(1).default('sandbox').describe('demanded by AUTH'),
      password: z.string().min(1).default('sandbox').describe('not a secret: the sandbox delivers nowhere'),
      keepMessages: count(0, 100_000).default(100).describe('the newest, in memory; 0 only counts them'),
      ledger: z.string().min(1).nullable().default(null).describe('file with one line per message'),
    })
    .nullable()
    .default(null)
    .describe('the sandbox smart host, run inside the relay; null: none'),
})
export type Config = z.infer<typeof configSchema>
