import { describe, expect, it } from 'vitest'
import {
  type DelegationAnswer,
  formatRequest,
  parseAnswer,
} from '../../../src/policy/checkers/delegation-protocol.ts'
import { type CheckedFields, recipientOf, transactionOf } from '../../support/checked-message.ts'

const accept = (...effects: object[]) => ({ kind: 'accept', effects }) as DelegationAnswer
const refuse = (code: number, enhanced: string, text: string): DelegationAnswer => ({
  kind: 'refuse',
  reply: { code, enhanced, text },
})

describe('an action', () => {
  it.each<[string, DelegationAnswer]>([
    ['DUNNO', accept()],
    ['dunno', accept()],
    ['OK', accept()],
    ['OK with text', accept()],
    ['12345', accept()],
    ['REJECT', refuse(554, '5.7.1', 'Access denied')],
    ['REJECT Not today', refuse(554, '5.7.1', 'Not today')],
    ['reject 5.7.25 Not today', refuse(554, '5.7.25', 'Not today')],
    ['REJECT 4.7.25 Not today', refuse(554, '5.7.1', '4.7.25 Not today')],
    ['DEFER', refuse(450, '4.7.1', 'Access denied')],
    ['DEFER 4.2.1 Full', refuse(450, '4.2.1', 'Full')],
    ['DEFER_IF_PERMIT Greylisted', refuse(450, '4.7.1', 'Greylisted')],
    ['DEFER_IF_REJECT Service is down', accept({ kind: 'note', text: 'Service is down' })],
    ['550 5.1.1 Unknown', refuse(550, '5.1.1', 'Unknown')],
    ['450 Later', refuse(450, '4.7.1', 'Later')],
    ['451', refuse(451, '4.7.1', 'Access denied')],
    ['421 4.7.0 Go away', refuse(451, '4.7.0', 'Go away')],
    ['521 Go away', refuse(554, '5.7.1', 'Go away')],
    ['DISCARD', accept({ kind: 'drop' })],
    ['DISCARD spam', accept({ kind: 'drop' }, { kind: 'note', text: 'spam' })],
    ['HOLD', accept({ kind: 'hold', reason: 'held by policy delegation' })],
    ['HOLD Look at it', accept({ kind: 'hold', reason: 'Look at it' })],
    ['WARN Odd', accept({ kind: 'note', text: 'Odd' })],
    ['INFO seen', accept({ kind: 'note', text: 'seen' })],
    ['PREPEND X-Policy: seen', accept({ kind: 'prepend', name: 'X-Policy', value: 'seen' })],
    ['PREPEND X-Policy:', accept({ kind: 'prepend', name: 'X-Policy', value: '' })],
    ['REDIRECT box@EXAMPLE.org', accept({ kind: 'redirect', address: 'box@example.org' })],
    ['BCC <copy@example.org>', accept({ kind: 'bcc', address: 'copy@example.org' })],
  ])('%s is read', (action, answer) => {
    expect(parseAnswer(`action=${action}`)).toEqual(answer)
  })

  it.each([
    'FILTER smtp:[127.0.0.1]:10024',
    'PREPEND no field',
    'PREPEND Bad Name: x',
    'REDIRECT nobody',
    'BCC',
    'permit_mynetworks',
    'toString',
    '250 Ok',
    '',
  ])('%j is not known here', (action) => {
    expect(() => parseAnswer(`action=${action}`)).toThrow('answered an action that is not known here')
  })

  it.each(['', 'result=OK', 'action=OK\naction=REJECT', ' action=OK'])('is not found in %j', (answer) => {
    expect(() => parseAnswer(answer)).toThrow('answered no action')
  })

  it('is found among other lines, and before a CR', () => {
    expect(parseAnswer('version=2\naction=DUNNO\r')).toEqual(accept())
  })
})

describe('a request', () => {
  function attributes(fields: CheckedFields, state: Parameters<typeof formatRequest>[1]['state']) {
    const request = formatRequest(transactionOf(fields), { state, instance: 'i1' })
    expect(request.endsWith('\n\n')).toBe(true)
    return Object.fromEntries(
      request
        .trimEnd()
        .split('\n')
        .map((line) => {
          const [name, ...value] = line.split('=')
          return [name, value.join('=')]
        }),
    )
  }
  const atRcpt = { name: 'RCPT', recipient: recipientOf('b@example.org') } as const
  const atEnd = { name: 'END-OF-MESSAGE', messageId: 'M1', sizeBytes: 4711 } as const

  it('about a recipient tells what is known at RCPT', () => {
    const fields: CheckedFields = { to: ['a@example.org'], declaredSizeBytes: 1000 }
    expect(attributes(fields, atRcpt)).toMatchObject({
      request: 'smtpd_access_policy',
      protocol_state: 'RCPT',
      protocol_name: 'ESMTP',
      client_address: '192.0.2.7',
      client_name: 'unknown',
      reverse_client_name: 'unknown',
      helo_name: 'client.example.com',
      sender: 'sender@example.com',
      recipient: 'b@example.org',
      recipient_count: '0',
      queue_id: '',
      instance: 'i1',
      size: '1000',
      sasl_username: '',
      encryption_protocol: '',
      policy_context: 'exchange',
    })
  })

  it.each([
    [['a@example.org'], 'a@example.org', '1'],
    [['a@example.org', 'b@example.org'], '', '2'],
  ])('about the message to %j names the recipient where there is only one', (to, recipient, count) => {
    expect(attributes({ to }, atEnd)).toMatchObject({
      protocol_state: 'END-OF-MESSAGE',
      recipient,
      recipient_count: count,
      queue_id: 'M1',
      size: '4711',
    })
  })

  it.each([
    ['SMTP', 'SMTP'],
    ['ESMTPSA', 'ESMTP'],
    ['UTF8SMTPS', 'ESMTP'],
  ])('calls %s as Postfix does', (protocol, name) => {
    expect(attributes({ session: { protocol } }, atRcpt)).toMatchObject({ protocol_name: name })
  })

  it('tells of TLS and of the user', () => {
    const client = { address: '2001:db8::1', listener: 'exchange', user: 'alice' }
    const session = { tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384', client }
    expect(attributes({ session }, atRcpt)).toMatchObject({
      client_address: '2001:db8::1',
      sasl_username: 'alice',
      encryption_protocol: 'TLSv1.3',
      encryption_cipher: 'TLS_AES_256_GCM_SHA384',
    })
  })

  it('keeps each attribute on its line, whatever the client said', () => {
    const told = attributes({ from: '', session: { helo: 'x\nsasl_username=admin\r\n\nrequest=' } }, atRcpt)
    expect(told).toMatchObject({
      sender: '',
      sasl_username: '',
      helo_name: 'x?sasl_username=admin???request=',
    })
  })
})
