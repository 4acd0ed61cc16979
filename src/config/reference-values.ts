/**
 * What the reference shows beside the schema's own words: the values a fresh checkout runs on, and examples of
 * what it leaves out, as comments. A fresh checkout relays real mail, and none leaves the machine.
 */

export const introduction = `
The configuration of the relay, and its reference: every key, what it means, and its default.
A line that begins with #, without a space, is a setting left out; remove the # to use it.

Check it with:        relay check
Print it anew with:   relay check --reference      (as JSON Schema: --json-schema)

Durations are 90s, 5m, 4h, 2d. Sizes are 256KB, 35MB, 1GB (powers of 1024), or a number of bytes.
Secrets are never written here: { env: NAME } takes one from the environment, { file: PATH } from
a file. Paths are relative to the working directory. REDIS_URL in the environment selects the
Redis store and its URL.
`

/** A rule, a limit and a checker with every key; the conditions of a rule may also stand among its exceptions. */
const policyExamples: Readonly<Record<string, unknown>> = {
  'policy.lists': { board: ['ceo@example.com', 'cfo@example.com'], partners: ['*.example.org'] },
  'policy.rules': [{ name: 'No programs by mail' }],
  'policy.rules.comment': 'as agreed with the works council',
  'policy.rules.activeFrom': '2027-01-01',
  'policy.rules.activeUntil': '2027-12-31T18:00:00+01:00',
  'policy.rules.conditions': {},
  ...under('policy.rules.conditions', {
    senderIs: ['newsletter@example.com'],
    senderDomainIs: ['example.com', '*.example.org'],
    senderContainsWords: ['noreply'],
    senderMatches: ['^[a-z]+\\.[a-z]+@'],
    senderIn: ['board'],
    fromIs: ['ceo@example.com'],
    fromDomainIs: ['example.com'],
    fromContainsWords: ['sales'],
    fromMatches: ['^sales-[0-9]+@'],
    fromIn: ['board'],
    fromDefectIs: ['several', 'unparsable'],
    senderDiffersFromFrom: true,
    recipientIs: ['desk@example.org'],
    recipientDomainIs: ['*.example.net'],
    recipientContainsWords: ['press'],
    recipientMatches: ['@.*\\.example$'],
    recipientIn: ['partners'],
    anyRecipientIs: ['desk@example.org'],
    anyRecipientDomainIs: ['example.net'],
    anyRecipientContainsWords: ['press'],
    anyRecipientMatches: ['@.*\\.example$'],
    anyRecipientIn: ['partners'],
    recipientCountOver: 100,
    clientNetworkIs: ['10.1.0.0/16'],
    userIs: ['exchange'],
    listenerIs: ['submission'],
    subjectContainsWords: ['confidential', 'internal only'],
    subjectMatches: ['project (alpha|beta)'],
    subjectOrBodyContainsWords: ['price list'],
    subjectOrBodyMatches: ['PRJ-[0-9]{4,6}'],
    headerContainsWords: [{ header: 'X-Mailer', words: ['bulk'] }],
    headerMatches: [{ header: 'List-Id', patterns: ['news'] }],
    headerPresent: ['List-Unsubscribe'],
    headerAbsent: ['Subject'],
    messageSizeOver: '20MB',
    messageTypeIs: ['autoReply', 'encrypted'],
    importanceIs: ['high'],
    characterSetIs: ['koi8-r'],
    sensitiveData: [{ type: 'cardNumber', keywords: ['visa', 'card'], minimumCount: 2 }],
    attachmentNameMatches: ['^invoice'],
    attachmentExtensionIs: ['exe', 'js', 'vbs'],
    attachmentTypeIs: ['executable', 'officeWithMacros'],
    attachmentSizeOver: '10MB',
    attachmentCountOver: 20,
    attachmentNotInspected: true,
    contentAmbiguous: true,
  }),
  'policy.rules.exceptions': {},
  'policy.rules.exceptions.senderIn': ['board'],
  'policy.rules.actions': {},
  ...under('policy.rules.actions', {
    reject: { code: 550, enhanced: '5.7.901', text: 'Programs are not sent by mail' },
    defer: { text: 'Please try again tomorrow' },
    hold: 'asks for a second look',
    drop: true,
    redirectTo: ['desk@example.com'],
    addTo: ['sales@example.com'],
    addCc: ['sales@example.com'],
    addBcc: ['archive@example.com'],
    routeThrough: 29,
    requireTLS: true,
    setHeaders: [{ name: 'X-Class', value: 'external' }],
    addHeaders: [{ name: 'X-Seen', value: 'relay' }],
    removeHeaders: ['X-Originating-IP'],
    prefixSubject: '[external] ',
    disclaimer: { text: 'Confidential.', html: '<p>Confidential.</p>', position: 'append', fallback: 'wrap' },
    rewriteSender: 'bounces@example.com',
    rewriteFrom: 'office@example.com',
    stripReceived: true,
    notify: { to: ['postmaster@example.com'], subject: 'A program was stopped' },
    audit: 'high',
  }),
  'policy.limits': [{ name: 'per-user', per: 'user', messagesPerHour: 500 }],
  'policy.limits.only': ['newsletter@example.com'],
  'policy.limits.maxMessageSize': '10MB',
  ...under('policy.limits', {
    messagesPerMinute: 30,
    messagesPerDay: 5000,
    recipientsPerMinute: 200,
    recipientsPerHour: 2000,
    recipientsPerDay: 10_000,
    bytesPerMinute: '100MB',
    bytesPerHour: '1GB',
    bytesPerDay: '10GB',
  }),
  'policy.checkers': [
    { name: 'virus', kind: 'clamd', address: 'unix:/run/clamav/clamd.ctl', infected: 'reject' },
    { name: 'spam', kind: 'rspamd', url: 'http://127.0.0.1:11333', password: { env: 'RSPAMD_PASSWORD' } },
    { name: 'filter', kind: 'milter', address: 'tcp://127.0.0.1:8891', away: 'accept', timeout: '10s' },
    { name: 'quota', kind: 'delegation', address: 'tcp://127.0.0.1:10031', concurrency: 50 },
    {
      name: 'own',
      kind: 'webhook',
      url: 'https://checks.example.com/mail',
      secret: { env: 'WEBHOOK_SECRET' },
    },
  ],
  'policy.dkim': [{ domain: 'example.com', selector: '2027a', key: { file: '/etc/relay/dkim.pem' } }],
}

/** The entries as they stand below a path. */
function under(path: string, entries: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [`${path}.${key}`, value]))
}

/** Keys in this tree are written as settings, all others as comments. */
export const fresh = {
  hostname: 'relay.example.com',
  dataDir: './data',
  log: { level: 'info' },
  listeners: [{ name: 'exchange', address: '127.0.0.1', port: 2525, tls: 'starttls' }],
  access: { networks: ['127.0.0.0/8', '::1/128'] },
  routing: { senderIdentity: 'envelope', unroutable: 'reject' },
  queue: { store: 'embedded', lease: '1m' },
  connectors: [
    {
      id: 'sandbox',
      name: 'Sandbox',
      addressSpaces: ['*'],
      smartHosts: ['127.0.0.1'],
      port: 2587,
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'sandbox',
      password: { file: 'config/sandbox-password' },
      requireTLS: true,
      tlsAuthLevel: 'encryptionOnly',
      limits: { connections: 20, messagesPerConnection: 20 },
    },
  ],
  delivery: {
    connectionRetry: ['1m', '1m', '1m', '1m', '5m', '5m', '5m', '5m', '5m', '5m', '10m'],
    messageRetry: ['5m', '5m', '5m', '5m', '5m', '5m', '10m'],
    expireAfter: '2d',
    delayNoticeAfter: '4h',
  },
  policy: {},
  admin: { address: '127.0.0.1', port: 8080 },
  sandbox: { address: '127.0.0.1', port: 2587, user: 'sandbox', password: 'sandbox' },
}

/** By path: what a setting that is left out may look like. Of a list: its first entries, with every key told. */
export const examples: Readonly<Record<string, unknown>> = {
  'listeners.certificate': { cert: '/etc/relay/tls.pem', key: '/etc/relay/tls.key' },
  'access.users': [
    {
      name: 'exchange',
      passwordHash: 'scrypt$16384$8$1$MDEyMzQ1Njc4OWFiY2RlZg==$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=',
      senders: ['*@example.com'],
    },
  ],
  'queue.redis': { url: 'redis://127.0.0.1:6379' },
  'queue.redis.password': { env: 'REDIS_PASSWORD' },
  'connectors.caFile': '/etc/relay/provider-ca.pem',
  'connectors.clientCertificate': { cert: '/etc/relay/client.pem', key: '/etc/relay/client.key' },
  'connectors.tlsDomain': 'smtp-relay.example.com',
  'connectors.fqdn': 'mail.example.com',
  'connectors.limits.messagesPerSecond': 10,
  'connectors.limits.messagesPerMinute': 300,
  'connectors.limits.messagesPerHour': 5000,
  'connectors.limits.messagesPerDay': 50_000,
  'connectors.limits.recipientsPerDay': 100_000,
  'state.key': { file: '/etc/relay/state-key' },
  'state.formerKeys': [{ file: '/etc/relay/state-key.2026' }],
  'admin.certificate': { cert: '/etc/relay/tls.pem', key: '/etc/relay/tls.key' },
  'delivery.postmaster': 'postmaster@example.com',
  'sandbox.ledger': './data/ledger',
  ...policyExamples,
  senders: [
    { address: 'newsletter@example.com', connector: 29 },
    { address: 'director@example.com', connector: 0 },
    { domain: 'example.com', connector: 29 },
  ],
}

/** By path: a further entry of a list that has some, as a comment after them. */
export const furtherEntries: Readonly<Record<string, { readonly note: string; readonly entry: object }>> = {
  listeners: {
    note: 'for clients outside the machine, who log in (see access.users)',
    entry: { name: 'submission', address: '0.0.0.0', port: 587, tls: 'required' },
  },
  connectors: {
    note: 'a provider, for the senders that are bound to it (see senders)',
    entry: {
      id: 29,
      name: 'Newsletter provider',
      addressSpaces: [],
      smartHosts: ['smtp-relay.example.com'],
      port: 587,
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'newsletter@example.com',
      password: { env: 'NEWSLETTER_PASSWORD' },
      requireTLS: true,
      tlsAuthLevel: 'domainValidation',
    },
  },
}

/** By path: what must be said about the value that a fresh checkout has. */
export const notes: Readonly<Record<string, string>> = {
  'connectors.password':
    "The sandbox makes no secret of it; a provider's belongs into the environment or a file outside.",
  'connectors.tlsAuthLevel':
    'The sandbox has a self-signed certificate. A real provider deserves domainValidation.',
}
