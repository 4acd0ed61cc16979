/**
 * What went wrong before a connection was ready for MAIL, in the words of `attempt.ts` and of an operator. The
 * stage decides first and the reply's code only then: a 554 greeting or a 502 to STARTTLS is trouble with the
 * host, and bounces nobody's mail. This is the only place that reads nodemailer's codes.
 */
import { parseReply, printable, type Reply, temporary } from '../reply.ts'
import type { ConnectionFault } from './attempt.ts'

/** What the connection was waiting for. */
export type Stage = 'connect' | 'greeting' | 'ehlo' | 'tls' | 'auth'

/** The fields of nodemailer's and the system's errors that tell something. */
export interface HostError {
  readonly message: string
  readonly code?: string
  /** The system's or TLS library's code, where nodemailer put its own into `code`. */
  readonly originalCode?: string
  /** The host's reply, where one was the trouble. */
  readonly response?: string
  /** The command in flight. */
  readonly command?: string
}

export interface Fault {
  readonly fault: ConnectionFault
  readonly reply: Reply
}

export function faultOf(stage: Stage, error: HostError): Fault {
  const reply = error.response === undefined ? null : parseReply(error.response)
  // RFC 5321 §3.8: the host closes for reasons of its own, whatever it was asked.
  if (reply?.code === 421) return { fault: 'greeting', reply }
  if (stage === 'tls' || error.command === 'STARTTLS' || codeOf(error).startsWith('ERR_SSL_'))
    return tlsFault(error)
  if (stage === 'connect')
    return { fault: 'connect', reply: temporary('4.1', `Cannot connect: ${reasonOf(error)}`) }
  if (stage === 'auth') return authFault(error, reply)
  if (reply && reply.code >= 400) return { fault: 'greeting', reply }
  if (error.response !== undefined)
    return {
      fault: 'greeting',
      reply: temporary('5.0', `Not an SMTP server: it answered ${quote(error.response)}`),
    }
  if (stage === 'greeting')
    return { fault: 'connect', reply: temporary('4.1', `No greeting: ${reasonOf(error)}`) }
  return { fault: 'lost', reply: temporary('4.2', `No answer to EHLO: ${reasonOf(error)}`) }
}

/** TLS that was asked for and not had, whether we were refused or refused ourselves. */
export function tlsFault(error: HostError): Fault {
  const text = error.response
    ? `No STARTTLS at the smart host: it answered ${quote(error.response)}`
    : `TLS with the smart host failed: ${tlsReason(error)}`
  return { fault: 'tls', reply: temporary('7.5', text) }
}

function authFault(error: HostError, reply: Reply | null): Fault {
  if (reply && reply.code >= 500) return { fault: 'auth-refused', reply }
  if (reply && reply.code >= 400) return { fault: 'auth-temporary', reply }
  const what = error.response === undefined ? reasonOf(error) : `it answered ${quote(error.response)}`
  return { fault: 'lost', reply: temporary('4.2', `AUTH came to no end: ${what}`) }
}

const tlsReasons: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the root of its certificate chain is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'an issuer in its certificate chain is not trusted or missing',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'an issuer in its certificate chain is not trusted or missing',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the issuer of its certificate is not trusted, or it sends no intermediate one',
  CERT_REVOKED: 'its certificate has been revoked',
  INVALID_PURPOSE: 'its certificate is not for servers',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it offers no TLS version from 1.2 on',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it offers no TLS version from 1.2 on',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it did not answer with TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it did not answer with TLS',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'it found no common cipher or protocol version',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it demands a client certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'it refuses our client certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not trust the issuer of our client certificate',
  ECONNRESET: 'it closed the connection during the handshake',
}

function tlsReason(error: HostError): string {
  const code = codeOf(error)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate carries another name (${detail(error)})`
  const known = tlsReasons[code]
  if (known !== undefined) return `${known} (${code})`
  return code.startsWith('E') && code !== 'ETLS' ? `${detail(error)} (${code})` : detail(error)
}

const systemReasons: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to its network',
  EADDRNOTAVAIL: 'no local address or port to connect from',
  EMFILE: 'too many open files here',
  EPIPE: 'connection closed',
}

/** A broken connection in words. */
export function reasonOf(error: HostError): string {
  const code = codeOf(error)
  const known = systemReasons[code]
  return known === undefined ? detail(error) : `${known} (${code})`
}

const codeOf = (error: HostError): string => error.originalCode ?? error.code ?? ''
const detail = (error: HostError): string => printable(error.message)
const quote = (response: string): string => JSON.stringify(printable(response.slice(0, 200)))
