/**
 * Policy in the configuration: rules like Exchange's mail-flow rules, limits, outside checkers, DKIM keys. The same
 * schema is the API's. A rule's conditions are all of one mapping (AND), the values of one condition a list (OR),
 * its exceptions another mapping of the same keys (OR), and all its actions apply.
 */
import { z } from 'zod'
import { holderForms, readHolder } from '../policy/limit-holder.ts'
import { compilePattern } from '../policy/rules/pattern.ts'
import { parseAddressSpace } from '../route/address-space.ts'
import {
  address,
  connectorId,
  count,
  domain,
  duration,
  instant,
  MB,
  minuteMs,
  network,
  secret,
  size,
  text,
} from './values.ts'

const flag = z.literal(true, { error: 'must be true, or left out' })

const list = <T extends z.ZodType>(value: T) => z.array(value).min(1)

/** Exchange allows 128 characters. A word matches as a whole, in any case; `*` is nothing special. */
const words = list(z.string().min(1).max(128))

const pattern = z
  .string()
  .min(1)
  .max(1024)
  .superRefine((source, context) => {
    const compiled = compilePattern(source)
    if ('error' in compiled)
      context.addIssue({ code: 'custom', message: `must be a pattern in RE2's syntax (${compiled.error})` })
  })
const patterns = list(pattern)

/** `example.com`, or `*.example.com` with it and all its subdomains, as in address spaces. */
const domainPattern = text((value) => {
  const space = parseAddressSpace(value)
  return 'error' in space || value.includes(';') || value.includes(':') ? null : space.pattern
}, 'must be a domain such as example.com, or *.example.com')

const listName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'must be the name of a list in policy.lists')

/** RFC 5322 §3.6.8. */
export const fieldName = z
  .string()
  .regex(/^[\x21-\x39\x3b-\x7e]{1,76}$/, 'must be the name of a header field, without the colon')

export const fieldText = z
  .string()
  .max(2000)
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'must be one line of text')

export const replyText = z
  .string()
  .min(1)
  .max(400)
  .regex(/^[\x20-\x7e]+$/, 'must be one line of ASCII')

const attachmentType = z.enum(['executable', 'archive', 'encryptedArchive', 'office', 'officeWithMacros'])
const messageType = z.enum([
  'autoReply',
  'autoForward',
  'calendar',
  'signed',
  'encrypted',
  'readReceipt',
  'tnef',
])

const sensitiveData = z.union(
  [
    z.strictObject({
      type: z.enum(['cardNumber', 'iban']).describe('found by its form and its check digits'),
      keywords: words.optional().describe('one of them must stand within 300 characters'),
      minimumCount: count(1, 1000).default(1).describe('different values in the message'),
    }),
    z.strictObject({
      type: z.literal('custom'),
      pattern,
      keywords: words.optional(),
      minimumCount: count(1, 1000).default(1),
    }),
  ],
  { error: 'must be { type: cardNumber }, { type: iban } or { type: custom, pattern: … }' },
)

export const conditionsSchema = z.strictObject({
  // The envelope sender.
  senderIs: list(address).optional().describe('the envelope sender is'),
  senderDomainIs: list(domainPattern).optional().describe('its domain'),
  senderContainsWords: words.optional().describe('whole words in it, in any case'),
  senderMatches: patterns.optional().describe('RE2 patterns, found anywhere in it, in any case'),
  senderIn: list(listName).optional().describe('… is in a list of policy.lists'),
  // The mailboxes of the From field.
  fromIs: list(address).optional().describe('a mailbox of the From field is'),
  fromDomainIs: list(domainPattern).optional().describe('its domain'),
  fromContainsWords: words.optional().describe('whole words in it'),
  fromMatches: patterns.optional().describe('patterns found in it'),
  fromIn: list(listName).optional().describe('… is in a list of policy.lists'),
  fromDefectIs: list(z.enum(['none', 'several', 'unparsable']))
    .optional()
    .describe('what is wrong with the From field'),
  senderDiffersFromFrom: flag.optional().describe('the envelope sender is no mailbox of the From field'),
  // Per recipient: the rule acts on those alone that match.
  recipientIs: list(address).optional().describe('the rule acts on these recipients alone'),
  recipientDomainIs: list(domainPattern).optional().describe('their domain'),
  recipientContainsWords: words.optional().describe('whole words in their address'),
  recipientMatches: patterns.optional().describe('patterns found in their address'),
  recipientIn: list(listName).optional().describe('… who are in a list of policy.lists'),
  // Any recipient: the rule acts on the whole message.
  anyRecipientIs: list(address).optional().describe('the rule acts on the whole message'),
  anyRecipientDomainIs: list(domainPattern).optional().describe('one has this domain'),
  anyRecipientContainsWords: words.optional().describe('whole words in the address of one'),
  anyRecipientMatches: patterns.optional().describe('patterns found in the address of one'),
  anyRecipientIn: list(listName).optional().describe('one is in a list of policy.lists'),
  recipientCountOver: count(1, 50_000).optional().describe('more recipients than this'),
  // The client.
  clientNetworkIs: list(network).optional().describe('the client comes from'),
  userIs: list(z.string().min(1).max(255)).optional().describe('after AUTH'),
  listenerIs: list(z.string().min(1).max(32)).optional().describe('the listener it came in by'),
  // Header and text, decoded.
  subjectContainsWords: words.optional().describe('of the subject, decoded'),
  subjectMatches: patterns.optional().describe('patterns found in the subject'),
  subjectOrBodyContainsWords: words.optional().describe('of the subject, or of text that is no attachment'),
  subjectOrBodyMatches: patterns.optional().describe('patterns found in either'),
  headerContainsWords: list(
    z.strictObject({
      header: fieldName.describe('its name'),
      words: words.describe('whole words in its value'),
    }),
  )
    .optional()
    .describe('of a header field, decoded'),
  headerMatches: list(
    z.strictObject({
      header: fieldName.describe('its name'),
      patterns: patterns.describe('found in its value'),
    }),
  )
    .optional()
    .describe('patterns found in a header field'),
  headerPresent: list(fieldName).optional().describe('one of these fields is there'),
  headerAbsent: list(fieldName).optional().describe('one of these fields is missing'),
  messageSizeOver: size(1).optional().describe('this size or more, as in Exchange'),
  messageTypeIs: list(messageType)
    .optional()
    .describe('autoReply | autoForward | calendar | signed | encrypted | readReceipt | tnef (winmail.dat)'),
  importanceIs: list(z.enum(['low', 'normal', 'high']))
    .optional()
    .describe('as Importance, Priority or X-Priority say'),
  characterSetIs: list(z.string().min(1).max(64)).optional().describe('of a text part'),
  sensitiveData: list(sensitiveData)
    .optional()
    .describe('card numbers, IBANs, or what a pattern of yours finds'),
  // Attachments, and what is found in archives and in messages attached.
  attachmentNameMatches: patterns
    .optional()
    .describe('patterns found in a name; all attachment conditions look into archives and attached messages'),
  attachmentExtensionIs: list(z.string().regex(/^[^.\s/\\]{1,32}$/, 'must be an extension without the dot'))
    .optional()
    .describe('of a name, without the dot'),
  attachmentTypeIs: list(attachmentType).optional().describe('by content, whatever the name says'),
  attachmentSizeOver: size(1).optional().describe('decoded; this size or more'),
  attachmentCountOver: count(0, 10_000)
    .optional()
    .describe('more attachments than this, not counting those inside others'),
  attachmentNotInspected: flag
    .optional()
    .describe('an attachment that is encrypted, damaged or beyond the limits of inspection'),
  contentAmbiguous: flag.optional().describe('MIME that programs read in different ways'),
})
export type Conditions = z.infer<typeof conditionsSchema>

/** 5.7.1, or the range that Exchange gives to administrators. */
const enhancedCode = z.string().regex(/^5\.7\.(1|9\d\d)$/, 'must be 5.7.1, or 5.7.900 to 5.7.999')

const disclaimer = z.strictObject({
  text: z.string().min(1).max(5000).describe('for text parts'),
  html: z.string().min(1).max(5000).nullable().default(null).describe('for HTML parts; null: the text'),
  position: z.enum(['append', 'prepend']).default('append').describe('append | prepend'),
  fallback: z
    .enum(['wrap', 'ignore', 'reject'])
    .default('wrap')
    .describe('where it cannot be inserted: the message becomes an attachment | goes as it is | is refused'),
})

const notice = z.strictObject({
  to: list(address).describe('who is told'),
  subject: fieldText.min(1).default('A mail-flow rule matched a message').describe('of the notice'),
  text: z
    .string()
    .min(1)
    .max(5120)
    .nullable()
    .default(null)
    .describe('before the facts; null: the facts alone'),
})

export const actionsSchema = z
  .strictObject({
    reject: z
      .strictObject({
        code: count(500, 599).default(550).describe('of the SMTP reply'),
        enhanced: enhancedCode.default('5.7.1').describe('5.7.1, or 5.7.900 to 5.7.999'),
        text: replyText.default('Delivery not authorized, message refused').describe('for the sender'),
      })
      .optional()
      .describe('at RCPT or DATA; by a DSN where others of the message go on'),
    defer: z
      .strictObject({ text: replyText.default('Delivery deferred by policy').describe('for the client') })
      .optional()
      .describe('451: the client tries again; the whole message, as one reply answers for all'),
    hold: fieldText.min(1).optional().describe('kept in the queue for an operator; the reason'),
    drop: flag.optional().describe('nobody is told'),
    redirectTo: list(address).optional().describe('instead of the recipients'),
    addTo: list(address).optional().describe('beside the recipients, seen in the To field'),
    addCc: list(address).optional().describe('beside the recipients, seen in the Cc field'),
    addBcc: list(address).optional().describe('beside the recipients, unseen'),
    routeThrough: connectorId.optional().describe('the id of a connector'),
    requireTLS: flag.optional().describe('it leaves over TLS or not at all, whatever the connector does'),
    setHeaders: list(
      z.strictObject({
        name: fieldName.describe('of the field'),
        value: fieldText.describe('encoded where it is not ASCII'),
      }),
    )
      .optional()
      .describe('instead of all of that name'),
    addHeaders: list(
      z.strictObject({
        name: fieldName.describe('of the field'),
        value: fieldText.describe('encoded where it is not ASCII'),
      }),
    )
      .optional()
      .describe('beside others of that name'),
    removeHeaders: list(fieldName).optional().describe('all of these names'),
    prefixSubject: fieldText
      .min(1)
      .max(100)
      .optional()
      .describe('before the subject, where it does not begin so already'),
    disclaimer: disclaimer
      .optional()
      .describe('a text in the message; signed and encrypted mail is left alone'),
    rewriteSender: address.optional().describe('the envelope sender becomes'),
    rewriteFrom: address.optional().describe('the mailbox of the From field becomes'),
    stripReceived: flag.optional().describe('the Received fields below ours'),
    notify: notice.optional().describe('a message that says what matched'),
    audit: z.enum(['low', 'medium', 'high']).optional().describe('the severity in log and tracking'),
  })
  .refine(
    (actions) => Object.values(actions).some((action) => action !== undefined),
    'must have at least one action',
  )
  .refine(
    (actions) =>
      ['reject', 'defer', 'drop'].filter((key) => actions[key as 'drop'] !== undefined).length <= 1,
    'must have only one of reject, defer and drop',
  )
export type Actions = z.infer<typeof actionsSchema>

export const ruleSchema = z.strictObject({
  name: z.string().min(1).max(64).describe('unique; in log, metrics and verdicts'),
  comment: z.string().max(1024).optional().describe('for those who read the file'),
  enabled: z.boolean().default(true).describe('false: passed over'),
  mode: z
    .enum(['enforce', 'audit', 'test'])
    .default('enforce')
    .describe('enforce | audit (matches are recorded and notices sent, nothing else) | test (only recorded)'),
  activeFrom: instant.nullable().default(null).describe('not before; a date begins at 0:00 UTC'),
  activeUntil: instant.nullable().default(null).describe('not from then on'),
  onError: z
    .enum(['defer', 'ignore'])
    .default('defer')
    .describe('where the content cannot be inspected: 451, or the rule is passed over'),
  conditions: conditionsSchema.prefault({}).describe('all must hold; none: every message'),
  exceptions: conditionsSchema.prefault({}).describe('any of them exempts'),
  actions: actionsSchema.describe('all are done'),
  stop: z.boolean().default(false).describe('no further rule for the recipients it acted on'),
})
export type Rule = z.infer<typeof ruleSchema>

const rate = () => count(1, 1_000_000_000).nullable().default(null)
const bytes = () =>
  size(1, 1024 * 1024 * MB)
    .nullable()
    .default(null)

const limitFields = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'must be 1 to 64 of letters, digits, - and _')
    .describe('unique; in replies, log and metrics'),
  per: z
    .enum(['sender', 'senderDomain', 'client', 'user', 'listener'])
    .describe(
      'what is counted: each envelope sender, its domain, client address, AUTH user or listener for itself',
    ),
  only: list(z.string().min(1).max(320)).nullable().default(null).describe('these alone; null: each'),
  maxMessageSize: size(1024).nullable().default(null).describe('over it 552 5.3.4'),
  messagesPerMinute: rate().describe('in any minute, wherever it begins; null: no limit'),
  messagesPerHour: rate().describe('in any hour'),
  messagesPerDay: rate().describe('in any 24 hours'),
  recipientsPerMinute: rate().describe('each recipient of a message counts'),
  recipientsPerHour: rate().describe('in any hour'),
  recipientsPerDay: rate().describe('in any 24 hours'),
  bytesPerMinute: bytes().describe('as submitted'),
  bytesPerHour: bytes().describe('in any hour'),
  bytesPerDay: bytes().describe('in any 24 hours'),
  over: z
    .enum(['defer', 'reject', 'hold'])
    .default('defer')
    .describe('451 4.7.28 | 550 5.7.28 | kept for an operator'),
})

/** What `only` may hold depends on what is counted. */
export const limitSchema = limitFields.superRefine(({ per, only }, context) => {
  for (const [index, entry] of (only ?? []).entries())
    if (readHolder(per, entry) === null) {
      const message = `must be ${holderForms[per]}, as the limit is per ${per}`
      context.addIssue({ code: 'custom', path: ['only', index], message })
    }
})
export type Limit = z.infer<typeof limitSchema>

const away = z
  .enum(['accept', 'defer', 'reject', 'hold'])
  .default('defer')
  .describe('when the checker does not answer')

const socketAddress = z
  .string()
  .regex(
    /^(unix:\/[^\u0000-\u0020]+|tcp:\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[1-9]\d{0,4})$/,
    'must be tcp://HOST:PORT or unix:/PATH',
  )
  .refine(
    (text) => Number(/^tcp:.*:(\d+)$/.exec(text)?.[1] ?? 1) <= 65535,
    'must have a port from 1 to 65535',
  )

const webAddress = z.url({ protocol: /^https?$/, error: 'must be a URL such as http://127.0.0.1:11333' })

const checkerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and -')
  .describe('unique; in log, metrics and verdicts')

const common = {
  name: checkerName,
  timeout: duration(100, 10 * minuteMs)
    .default(30_000)
    .describe('for one message'),
  concurrency: count(1, 1000)
    .default(20)
    .describe('messages at the same time; others wait within their timeout'),
  away,
}

export const checkerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    kind: z.literal('milter'),
    address: socketAddress,
  }),
  z.strictObject({
    ...common,
    kind: z.literal('clamd'),
    address: socketAddress,
    infected: z.enum(['reject', 'hold', 'drop']).default('reject'),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('rspamd'),
    url: webAddress,
    password: secret.nullable().default(null),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('delegation'),
    address: socketAddress,
  }),
  z.strictObject({
    ...common,
    kind: z.literal('webhook'),
    url: webAddress,
    secret: secret.describe('signs what is sent: HMAC-SHA256'),
  }),
])
export type CheckerConfig = z.infer<typeof checkerSchema>

export const dkimSchema = z.strictObject({
  domain: domain.describe('signs mail whose From field has this domain, or one below it'),
  selector: z
    .string()
    .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/, 'must be a selector such as 2026a')
    .describe('names the key in DNS: SELECTOR._domainkey.DOMAIN'),
  key: z
    .strictObject({ file: z.string().min(1).describe('its path') })
    .describe('PEM file with the private key, RSA or Ed25519: relay dkim makes one'),
})
export type DkimConfig = z.infer<typeof dkimSchema>

export const policySchema = z
  .strictObject({
    lists: z
      .record(
        listName,
        z.array(z.union([address, domainPattern], { error: 'must be an address, a domain, or *.domain' })),
      )
      .default({})
      .describe('named lists of addresses and domains, for rules'),
    rules: z.array(ruleSchema).default([]).describe('in order; the first is asked first'),
    limits: z.array(limitSchema).default([]).describe('how much each sender, client or user may submit'),
    checkers: z
      .array(checkerSchema)
      .default([])
      .describe('outside scanners, asked in this order before the rules'),
    dkim: z.array(dkimSchema).default([]).describe('signatures, made last'),
  })
  .prefault({})
  .describe('what may pass, and changed how')
export type PolicyConfig = z.infer<typeof policySchema>
