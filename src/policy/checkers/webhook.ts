/**
 * A webhook: a program of the operator's own that is told of each message, envelope, client and header, as JSON, and
 * answers with a verdict (webhook-answer.ts). It does not get the body. What it gets is signed, so that it can tell
 * that the relay sent it, and when:
 *
 *     X-Relay-Signature: t=SECONDS,v1=HEX(HMAC-SHA256(secret, "SECONDS.BODY"))
 */
import { createHmac } from 'node:crypto'
import { type Clock, systemClock } from '../../clock.ts'
import type { CheckerConfig } from '../../config/policy-schema.ts'
import type { Draft } from '../../message/draft.ts'
import { addField, formatField, removeFields, setField } from '../../message/edit/header-edit.ts'
import { decodeWords } from '../../message/encoded-words.ts'
import { fieldValue, type HeaderField, parseHeader } from '../../message/header.ts'
import { type CheckedMessage, type Checker, type CheckerVerdict, NotChecked, unchanged } from './checker.ts'
import { HttpEndpoint } from './http-endpoint.ts'
import { outsideReply } from './outside-reply.ts'
import { parseWebhookAnswer, type WebhookAnswer } from './webhook-answer.ts'

type WebhookConfig = Extract<CheckerConfig, { kind: 'webhook' }>

export interface WebhookOptions {
  readonly secret: string
  readonly clock?: Clock
}

export class Webhook implements Checker {
  readonly name: string
  readonly #endpoint: HttpEndpoint
  readonly #secret: string
  readonly #clock: Clock

  constructor(config: Pick<WebhookConfig, 'name' | 'url'>, { secret, clock = systemClock }: WebhookOptions) {
    this.name = config.name
    this.#endpoint = new HttpEndpoint(new URL(config.url))
    this.#secret = secret
    this.#clock = clock
  }

  async check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    const now = this.#clock.now()
    const body = Buffer.from(JSON.stringify(describe(message, now)))
    const answer = await this.#endpoint.post({
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json',
        'X-Relay-Signature': signature(body, { secret: this.#secret, now }),
      },
      body,
      limitBytes: 64 * 1024,
      signal,
    })
    // It is this message's header that it does not take.
    if (answer.status === 413) throw new NotChecked('the header is larger than it takes (HTTP status 413)')
    if (answer.status !== 200) throw new Error(`answered with HTTP status ${answer.status}`)
    return verdictOf(message, parseWebhookAnswer(answer.body.toString('utf8')), this.name)
  }

  async close(): Promise<void> {
    this.#endpoint.close()
  }
}

/** The instant is signed too, so that what was sent once cannot be sent again later on. */
function signature(body: Buffer, { secret, now }: { secret: string; now: number }): string {
  const seconds = Math.floor(now / 1000)
  const mac = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex')
  return `t=${seconds},v1=${mac}`
}

function describe({ messageId, transaction, draft, sizeBytes }: CheckedMessage, now: number) {
  const { session, sender, recipients } = transaction
  return {
    messageId,
    receivedAt: new Date(now).toISOString(),
    envelope: { from: sender.from, to: recipients.map(({ address }) => address) },
    client: { ...session.client, helo: session.helo, protocol: session.protocol, tls: session.tls },
    headers: parseHeader(draft.header).fields.map(describeField),
    sizeBytes,
  }
}

/** Octets that are not UTF-8 read as U+FFFD: JSON has no others. A line that is no field has no name. */
function describeField(field: HeaderField) {
  const raw = field.raw.toString('utf8')
  if (field.name === null) return { name: null, value: null, raw }
  return { name: raw.slice(0, raw.indexOf(':')).trimEnd(), value: decodeWords(fieldValue(field)), raw }
}

function verdictOf(message: CheckedMessage, answer: WebhookAnswer, name: string): CheckerVerdict {
  const note = answer.reason ?? null
  if (answer.verdict === 'drop') return { kind: 'drop', note }
  if (answer.verdict === 'reject' || answer.verdict === 'defer')
    return { kind: 'refuse', reply: outsideReply(answer), note }
  const { redirectTo, addRecipients, removeRecipients } = answer
  const recipients = message.transaction.recipients.map(({ address }) => address)
  const redirected =
    redirectTo.length === 0 ? [] : recipients.filter((address) => !redirectTo.includes(address))
  return {
    ...unchanged(message, note),
    draft: edited(message.draft, answer),
    added: [...new Set([...redirectTo, ...addRecipients])],
    removed: [...new Set([...redirected, ...removeRecipients])],
    hold: answer.verdict === 'hold' ? (note ?? `held by ${name}`) : null,
  }
}

function edited(draft: Draft, answer: Extract<WebhookAnswer, { verdict: 'accept' | 'hold' }>): Draft {
  let { header } = draft
  for (const name of answer.removeHeaders) header = removeFields(header, name)
  for (const { name, value } of answer.setHeaders) header = setField(header, formatField(name, value))
  for (const { name, value } of answer.addHeaders) header = addField(header, formatField(name, value))
  return header === draft.header ? draft : { header, body: draft.body }
}
