import { expect, it } from 'vitest'
import { faultOf, type HostError, type Stage } from '../../src/delivery/faults.ts'
import { formatReply } from '../../src/reply.ts'

const error = (originalCode: string, message = 'x'): HostError => ({ message, code: 'ESOCKET', originalCode })

it.each<[Stage, HostError, string]>([
  [
    'connect',
    { message: 'x', code: 'EHOSTUNREACH' },
    'connect: 451 4.4.1 Cannot connect: no route to the host (EHOSTUNREACH)',
  ],
  [
    'connect',
    { message: 'x', code: 'ENETUNREACH' },
    'connect: 451 4.4.1 Cannot connect: no route to its network (ENETUNREACH)',
  ],
  ['connect', { message: 'odd\nthing', code: 'EODD' }, 'connect: 451 4.4.1 Cannot connect: odd?thing'],
  ['greeting', error('ECONNRESET'), 'connect: 451 4.4.1 No greeting: connection reset (ECONNRESET)'],
  ['ehlo', error('ECONNRESET'), 'lost: 451 4.4.2 No answer to EHLO: connection reset (ECONNRESET)'],
  // TLS 1.3: what the host thinks of our certificate comes after the handshake.
  [
    'ehlo',
    error('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    'tls: 451 4.7.5 TLS with the smart host failed: it demands a client certificate (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)',
  ],
  [
    'tls',
    error('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'),
    'tls: 451 4.7.5 TLS with the smart host failed: an issuer in its certificate chain is not trusted or missing (UNABLE_TO_GET_ISSUER_CERT_LOCALLY)',
  ],
  [
    'tls',
    error('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'),
    'tls: 451 4.7.5 TLS with the smart host failed: it found no common cipher or protocol version (ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE)',
  ],
  [
    'tls',
    error('ERR_SSL_ODD', 'odd alert'),
    'tls: 451 4.7.5 TLS with the smart host failed: odd alert (ERR_SSL_ODD)',
  ],
  // A reply with a code of its own never decides where the stage does.
  [
    'ehlo',
    { message: 'x', code: 'ETLS', command: 'STARTTLS', response: '554 5.7.3 No' },
    'tls: 451 4.7.5 No STARTTLS at the smart host: it answered "554 5.7.3 No"',
  ],
  ['ehlo', { message: 'x', code: 'ETLS', command: 'STARTTLS', response: '421 Bye' }, 'greeting: 421 Bye'],
  ['auth', error('ECONNRESET'), 'lost: 451 4.4.2 AUTH came to no end: connection reset (ECONNRESET)'],
])('at %s: %o', (stage, hostError, outcome) => {
  const { fault, reply } = faultOf(stage, hostError)
  expect(`${fault}: ${formatReply(reply)}`).toBe(outcome)
})
