/**
 * A smart host that follows a script, and our connection to it. Whatever a test starts here ends with it, and
 * no line of the log may have carried the password.
 */
import { afterAll, afterEach, expect } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import { connectorSchema } from '../../src/config/schema.ts'
import type { Attempt } from '../../src/delivery/attempt.ts'
import type { OutgoingMessage } from '../../src/delivery/extensions.ts'
import type { HostAddress } from '../../src/delivery/resolve.ts'
import {
  type OpenResult,
  openSmartHost,
  rfcTimeouts,
  type SmartHostConnection,
  type Timeouts,
} from '../../src/delivery/smarthost.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../../src/envelope.ts'
import { createLog } from '../../src/observe/log.ts'
import { formatReply } from '../../src/reply.ts'
import { makeCertificates } from './certificates.ts'
import { type Answer, ehlo, RawServer, type RawServerOptions, type Script, silence } from './raw-server.ts'

export const certificates = makeCertificates()
afterAll(() => certificates.remove())

export const password = 'correct-horse-battery'
const logged: string[] = []
export const log = createLog({ level: 'debug', destination: { write: (line) => void logged.push(line) } })

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  const secrets = [password, Buffer.from(password).toString('base64')]
  for (const secret of secrets) expect(logged.join('')).not.toContain(secret)
})

export const quick: Timeouts = { openMs: 10_000, commandMs: 400, blockMs: 400, dotMs: 400, quitMs: 400 }
export const quickToOpen: Timeouts = { ...quick, openMs: 400 }

const plain = connectorSchema.parse({ id: 1, name: 'Test', smartHosts: ['smtp.example.com'] })

export function connectorTo(server: { port: number }, change: Partial<Connector> = {}): Connector {
  const secrets = { password: null, ca: null, clientCertificate: null, fqdn: 'relay.example.com' }
  return { ...plain, ...secrets, port: server.port, ...change }
}

/** As it should be in production: TLS with the host's name, and a login. */
export const strict: Partial<Connector> = {
  requireTLS: true,
  smartHostAuthMechanism: 'basicAuthRequireTLS',
  user: 'newsletter',
  password,
  tlsAuthLevel: 'domainValidation',
  ca: certificates.ca,
}
export const withLogin: Partial<Connector> = {
  ...strict,
  smartHostAuthMechanism: 'basicAuth',
  requireTLS: false,
}

export const named: HostAddress = { name: 'smtp.example.com', address: '127.0.0.1' }

export async function start(options: RawServerOptions = {}): Promise<RawServer> {
  const server = await RawServer.start(options)
  closing.push(() => server.close())
  return server
}

/** A host without TLS and AUTH, which most of what happens inside a transaction does not need. */
export const inClear = (script: Script = {}): Promise<RawServer> =>
  start({ script: { EHLO: ehlo('PIPELINING', 'SIZE', '8BITMIME', 'SMTPUTF8', 'DSN'), ...script } })
export const withoutPipelining = (script: Script = {}): Promise<RawServer> =>
  inClear({ EHLO: ehlo('SIZE', '8BITMIME', 'DSN'), ...script })

export async function open(
  server: { port: number },
  change: Partial<Connector> = {},
  options: { host?: HostAddress; timeouts?: Timeouts } = {},
): Promise<OpenResult> {
  const { host = named, timeouts = rfcTimeouts } = options
  const result = await openSmartHost(connectorTo(server, change), host, { log, timeouts })
  if (result.ok) closing.push(() => result.connection.close())
  return result
}

export async function opened(...args: Parameters<typeof open>): Promise<SmartHostConnection> {
  const result = await open(...args)
  if (!result.ok) throw new Error(formatReply(result.attempt.reply))
  return result.connection
}

/** `fault: reply`, or `ok`. */
export async function openingOf(...args: Parameters<typeof open>): Promise<string> {
  const result = await open(...args)
  return result.ok ? 'ok' : `${result.attempt.fault}: ${formatReply(result.attempt.reply)}`
}

export function recipient(address: string, fields: Partial<EnvelopeRecipient> = {}): EnvelopeRecipient {
  return { address, notify: null, orcpt: null, ...fields }
}

export function sender(from: string, fields: Partial<EnvelopeSender> = {}): EnvelopeSender {
  return { from, bodyType: '7bit', smtpUtf8: false, ret: null, envid: null, ...fields }
}

export const text = Buffer.from('Subject: Hello\r\n\r\nHello\r\n')

export function message(fields: Partial<OutgoingMessage> & { to?: readonly string[] } = {}): OutgoingMessage {
  const { to = ['user@example.org'], ...rest } = fields
  return {
    id: 'ITEM-1',
    internetMessageId: '<1@example.com>',
    sender: sender('newsletter@example.com'),
    recipients: to.map((address) => recipient(address)),
    sizeBytes: text.length,
    eightBit: false,
    requireTls: false,
    ...rest,
  }
}

/** An attempt as one line a recipient, or one for all. */
export function told(attempt: Attempt): string | readonly string[] {
  if (attempt.scope === 'recipients') return attempt.replies.map(formatReply)
  if (attempt.scope === 'connection') return `connection ${attempt.fault}: ${formatReply(attempt.reply)}`
  const refused = [...attempt.refused].map(([index, reply]) => `, ${index}: ${formatReply(reply)}`).join('')
  return `message${attempt.uncertain ? ' uncertain' : ''}: ${formatReply(attempt.reply)}${refused}`
}

/** Answers with one byte every 20 ms: each of them would reset an idle timer. */
export function trickle(answer: string): Answer {
  return async (_line, session): Promise<Answer> => {
    for (const byte of answer) {
      await session.say(byte)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return silence
  }
}
