/**
 * One smart host, tried as mail would try it, up to the point where mail would be sent: each step with what the
 * host answered. Where that ends at TLS or later, a second connection without a login looks at TLS and the
 * certificate whatever it is, so that it can be shown what the first one refused. No credentials and no mail
 * ever go over that one.
 */
import type { X509Certificate } from 'node:crypto'
import { checkServerIdentity } from 'node:tls'
import type { Connector } from '../config/connector.ts'
import { createLog } from '../observe/log.ts'
import { formatReply, parseReply, printable } from '../reply.ts'
import type { HostAddress } from './resolve.ts'
import {
  type OpenResult,
  openSmartHost,
  rfcTimeouts,
  type SmartHostConnection,
  type Transcript,
} from './smarthost.ts'
import { certificateName, tlsIsRequired } from './tls-options.ts'

export interface Step {
  readonly step: 'resolve' | 'connect' | 'greeting' | 'ehlo' | 'tls' | 'certificate' | 'auth' | 'quit'
  readonly ok: boolean
  /** The host's reply, or what was found, as one line. */
  readonly text: string
}

/** What is shown of a certificate. Faults are told whether or not the connector's level asks for the check. */
export interface CertificateFacts {
  readonly subject: string
  readonly names: string
  readonly issuer: string
  readonly validFrom: string
  readonly validTo: string
  /** Why it does not lead to a trusted root; null where it does. */
  readonly chainFault: string | null
  /** Why it is not made for the name it must carry; null where it is. */
  readonly nameFault: string | null
}

export interface HostTrial {
  readonly steps: readonly Step[]
  readonly extensions: readonly string[]
  readonly certificate: CertificateFacts | null
  /** The host did not take the credentials: another one must not be asked. */
  readonly loginRefused: boolean
}

export interface TrialOptions {
  /** Why the connector's login is not to be tried; null where it is. */
  readonly withoutLogin: string | null
  /** For each of its connections. */
  readonly openMs: number
  readonly signal?: AbortSignal | undefined
}

export async function tryHost(
  connector: Connector,
  host: HostAddress,
  options: TrialOptions,
): Promise<HostTrial> {
  const way = options.withoutLogin === null ? connector : withoutLogin(connector)
  const tried = await Trial.of(way, host, options)
  const { failedAt } = tried
  const look =
    failedAt === 'tls' || failedAt === 'auth'
      ? await Trial.of(withoutChecks(connector), host, options)
      : tried
  return {
    steps: [
      ...tried.opening(),
      ...tlsSteps(connector, { tried, look }),
      ...loginSteps(connector, { tried, ...options }),
      ...(failedAt === null ? [tried.leave()] : []),
    ],
    extensions: (look.tls === null ? tried : look).extensions(),
    certificate: look.tls === null ? null : factsOf(look.tls, certificateName(connector, host)),
    loginRefused: tried.loginRefused,
  }
}

const withoutLogin = (connector: Connector): Connector => ({
  ...connector,
  // Where a login asks for TLS, so does whatever takes its place.
  requireTLS: tlsIsRequired(connector),
  smartHostAuthMechanism: 'none',
})

const withoutChecks = (connector: Connector): Connector => ({
  ...withoutLogin(connector),
  tlsAuthLevel: 'encryptionOnly',
})

/** What is known of TLS once the connection is gone. */
interface TlsSeen {
  readonly protocol: string
  readonly certificate: X509Certificate | undefined
  readonly chainFault: string | null
}

/** One connection from beginning to end, and what was said on it. */
class Trial {
  readonly tls: TlsSeen | null
  readonly #said: readonly { by: 'relay' | 'host'; text: string }[]
  readonly #failure: Extract<OpenResult, { ok: false }> | null

  static async of(connector: Connector, host: HostAddress, { openMs, signal }: TrialOptions): Promise<Trial> {
    const said: { by: 'relay' | 'host'; text: string }[] = []
    const transcript: Transcript = (by, text) => said.push({ by, text })
    const timeouts = { ...rfcTimeouts, openMs }
    const given = { log: silent, transcript, timeouts, ...(signal !== undefined && { signal }) }
    const result = await openSmartHost(connector, host, given)
    if (!result.ok) return new Trial(said, { failure: result, tls: null })
    const tls = seen(result.connection)
    await result.connection.quit()
    return new Trial(said, { failure: null, tls })
  }

  private constructor(
    said: readonly { by: 'relay' | 'host'; text: string }[],
    end: { failure: Extract<OpenResult, { ok: false }> | null; tls: TlsSeen | null },
  ) {
    this.#said = said
    this.#failure = end.failure
    this.tls = end.tls
  }

  get failedAt(): Step['step'] | null {
    if (this.#failure === null) return null
    const { attempt, stage } = this.#failure
    if (attempt.fault === 'tls') return 'tls'
    const greeted = this.#said.some(({ by, text }) => by === 'relay' && commands.ehlo.test(text))
    return stage === 'ehlo' && !greeted ? 'greeting' : stage
  }

  get loginRefused(): boolean {
    return this.#failure?.attempt.fault === 'auth-refused'
  }

  get failure(): string {
    return this.#failure === null ? '' : formatReply(this.#failure.attempt.reply)
  }

  opening(): Step[] {
    const steps: Step[] = []
    const reached = this.failedAt
    for (const step of ['connect', 'greeting', 'ehlo'] as const) {
      if (reached === step) return [...steps, { step, ok: false, text: this.failure }]
      steps.push({ step, ok: true, text: step === 'connect' ? 'connected' : this.#replyTo(step) })
    }
    return steps
  }

  login(): Step {
    if (this.failedAt === 'auth') return { step: 'auth', ok: false, text: this.failure }
    return { step: 'auth', ok: true, text: this.#replyTo('auth') }
  }

  leave(): Step {
    const reply = this.#replyTo('quit')
    if (reply === '') return { step: 'quit', ok: true, text: 'closed without a reply' }
    return { step: 'quit', ok: reply.startsWith('2'), text: reply }
  }

  /** The lines of the last answer to EHLO, without the host's name. */
  extensions(): string[] {
    const lines = this.#rawReplyTo(/^EHLO /)?.split(/\r?\n/) ?? []
    return lines.slice(1).map((line) => printable(line.slice(4)))
  }

  #replyTo(step: 'greeting' | 'ehlo' | 'auth' | 'quit'): string {
    const raw =
      step === 'greeting'
        ? this.#said.find(({ by }) => by === 'host')?.text
        : this.#rawReplyTo(commands[step])
    if (raw === undefined) return ''
    const reply = parseReply(step === 'ehlo' ? raw.split('\n', 1)[0]! : raw)
    return reply === null ? printable(raw) : formatReply(reply)
  }

  /** The last thing that the host said after the last such command, before another one. */
  #rawReplyTo(command: RegExp): string | undefined {
    const at = this.#said.findLastIndex(({ by, text }) => by === 'relay' && command.test(text))
    if (at < 0) return undefined
    const after = this.#said.slice(at + 1)
    const next = after.findIndex(({ by, text }) => by === 'relay' && anyCommand.test(text))
    return (next < 0 ? after : after.slice(0, next)).findLast(({ by }) => by === 'host')?.text
  }
}

const silent = createLog({ level: 'silent', destination: { write: () => {} } })
const commands = { ehlo: /^(?:EHLO|HELO) /, auth: /^AUTH /, quit: /^QUIT$/ }
/** Not the further lines of a login. */
const anyCommand = /^(?:EHLO|HELO|STARTTLS|AUTH|QUIT)\b/

function seen({ tls }: SmartHostConnection): TlsSeen | null {
  if (tls === null) return null
  const fault = tls.authorizationError as Error | string | null | undefined
  return {
    protocol: `${tls.getProtocol()} ${tls.getCipher().name}`,
    certificate: tls.getPeerX509Certificate(),
    chainFault: fault ? String(fault instanceof Error ? fault.message : fault) : null,
  }
}

/** TLS and its certificate, as far as it came to them. */
function tlsSteps(connector: Connector, { tried, look }: { tried: Trial; look: Trial }): Step[] {
  const { failedAt } = tried
  if (failedAt !== null && failedAt !== 'tls' && failedAt !== 'auth') return []
  if (look.tls === null) {
    if (failedAt === 'tls') return [{ step: 'tls', ok: false, text: tried.failure }]
    return [{ step: 'tls', ok: true, text: 'not offered, and the connector does not require it' }]
  }
  const how = connector.tls === 'implicit' ? 'from the first byte' : 'by STARTTLS'
  return [
    { step: 'tls', ok: true, text: `${look.tls.protocol}, ${how}` },
    failedAt === 'tls'
      ? { step: 'certificate', ok: false, text: tried.failure }
      : { step: 'certificate', ok: true, text: `passes ${connector.tlsAuthLevel}` },
  ]
}

function loginSteps(
  connector: Connector,
  { tried, withoutLogin }: { tried: Trial; withoutLogin: string | null },
): Step[] {
  const came = tried.failedAt === null || tried.failedAt === 'auth'
  if (!came || connector.smartHostAuthMechanism === 'none') return []
  return [withoutLogin === null ? tried.login() : { step: 'auth', ok: false, text: withoutLogin }]
}

function factsOf({ certificate, chainFault }: TlsSeen, name: string): CertificateFacts | null {
  if (certificate === undefined) return null
  return {
    subject: oneLine(certificate.subject),
    names: printable(certificate.subjectAltName ?? ''),
    issuer: oneLine(certificate.issuer),
    validFrom: certificate.validFrom,
    validTo: certificate.validTo,
    chainFault: chainFault === null ? null : printable(chainFault),
    nameFault: printable(checkServerIdentity(name, certificate.toLegacyObject())?.message ?? '') || null,
  }
}

/** A distinguished name, which comes with a line for each part. */
const oneLine = (name: string): string => printable(name.trim().split('\n').join(', '))
