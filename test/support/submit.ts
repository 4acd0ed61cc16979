/** Submits single messages as a careful client does, and load as the product's own generator does. */
import { type LoadControl, type LoadOptions, type LoadResult, runLoad } from '../../src/lab/load.ts'
import type { AcceptedMail } from './mail-ledger.ts'
import { SmtpClient } from './smtp-client.ts'

export interface Mail {
  readonly from?: string
  readonly to: readonly string[]
  /** Header and body with CRLF, before dots are stuffed. */
  readonly content?: string | Buffer
  /** After MAIL FROM, such as `BODY=8BITMIME`. */
  readonly parameters?: string
}

export interface Submitted {
  readonly from: string
  /** Those that RCPT took. */
  readonly to: readonly string[]
  /** RCPT's answers that were not 250, by recipient. */
  readonly refused: Readonly<Record<string, string>>
  /** The last answer: to the final dot, or to what ended the transaction before. */
  readonly reply: string
}

/** One message on a connection of its own. */
export async function offer({ port }: { port: number }, mail: Mail): Promise<Submitted> {
  const client = await SmtpClient.greet({ port })
  try {
    return await offerOn(client, mail)
  } finally {
    client.close()
  }
}

/** As `offer`, of a message that must be accepted, for at least one recipient. */
export async function submit(relay: { port: number }, mail: Mail): Promise<Submitted & AcceptedMail> {
  const submitted = await offer(relay, mail)
  if (!submitted.reply.startsWith('250')) throw new Error(`Not accepted: ${submitted.reply}`)
  return submitted
}

async function offerOn(client: SmtpClient, mail: Mail): Promise<Submitted> {
  const { from = 'sender@example.com', content = letter('A letter'), parameters } = mail
  const to: string[] = []
  const refused: Record<string, string> = {}
  const over = (reply: string): Submitted => ({ from, to, refused, reply })
  let reply = await client.command(`MAIL FROM:<${from}>${parameters ? ` ${parameters}` : ''}`)
  if (!reply.startsWith('250')) return over(reply)
  for (const recipient of mail.to) {
    reply = await client.command(`RCPT TO:<${recipient}>`)
    if (reply.startsWith('250')) to.push(recipient)
    else refused[recipient] = reply
  }
  if (to.length === 0) return over(reply)
  reply = await client.command('DATA')
  if (!reply.startsWith('354')) return over(reply)
  client.send(stuffed(Buffer.from(content)))
  return over(await client.command('.'))
}

export function letter(subject: string, body = 'Hello\r\n'): string {
  return `From: <sender@example.com>\r\nSubject: ${subject}\r\n\r\n${body}`
}

/** RFC 5321 §4.5.2. A line begins after CRLF only. */
export function stuffed(content: Buffer): Buffer {
  return Buffer.from(content.toString('latin1').replace(/(^|\r\n)\./g, '$1..'), 'latin1')
}

/** Load with recipients that occur once, as the books need them. */
export function load(
  relay: { port: number },
  options: Partial<LoadOptions> & { run: string },
  control: LoadControl = {},
): Promise<LoadResult> {
  return runLoad(loadOptions(relay, options), control)
}

export function loadOptions(
  { port }: { port: number },
  options: Partial<LoadOptions> & { run: string },
): LoadOptions {
  return {
    target: {
      host: '127.0.0.1',
      port,
      tls: 'off',
      trust: { secureContext: null, insecure: false },
      auth: null,
      ehloName: 'client.example.com',
      timeoutMs: 60_000,
    },
    sessions: 4,
    messages: 40,
    durationMs: null,
    rate: null,
    messagesPerConnection: 20,
    retryForMs: 0,
    acceptedLog: null,
    seed: 1,
    from: ['sender@example.com'],
    to: [`${options.run}-{seq}-{n}@example.org`],
    recipientsPerMessage: 1,
    sizes: { kind: 'list', bytes: [4096] },
    ...options,
  }
}
