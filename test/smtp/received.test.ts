import { describe, expect, it } from 'vitest'
import { receivedField } from '../../src/smtp/received.ts'
import type { Session, Transaction } from '../../src/smtp/transaction.ts'

const session: Session = {
  id: 's',
  client: { address: '192.0.2.1', listener: 'test', user: 'alice' },
  helo: 'mail.example.com',
  senders: 'all',
  protocol: 'ESMTPSA',
  tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
}
const sender = { from: 'a@example.com', bodyType: '7bit', smtpUtf8: false, ret: null, envid: null } as const

function field(options: { session?: Partial<Session>; to?: string[] } = {}): string {
  const transaction: Transaction = {
    session: { ...session, ...options.session },
    sender,
    declaredSizeBytes: null,
    recipients: (options.to ?? ['b@example.org']).map((address) => ({ address, notify: null, orcpt: null })),
  }
  return receivedField({ transaction, messageId: '01ABC', hostname: 'relay.example.com', now: 0 })
}
const client = (address: string) => ({ client: { ...session.client, address } })

describe('receivedField', () => {
  it('names the client, the protocol, the id, TLS and the recipient, folded', () => {
    expect(field()).toBe(
      'Received: from mail.example.com ([192.0.2.1])\r\n' +
        '\tby relay.example.com with ESMTPSA id 01ABC\r\n' +
        '\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n' +
        '\tfor <b@example.org>;\r\n' +
        '\tThu, 01 Jan 1970 00:00:00 +0000\r\n',
    )
  })
  it('names no recipient where there are several, so that a blind copy stays blind', () => {
    expect(field({ to: ['b@example.org', 'c@example.org'] })).not.toContain('for')
  })
  it('names no user', () => {
    expect(field()).not.toContain('alice')
  })
  it('says nothing of TLS in clear', () => {
    expect(field({ session: { tls: null, protocol: 'ESMTP' } })).toContain('with ESMTP id 01ABC\r\n\tfor')
  })
  it('writes an IPv6 client as a literal', () => {
    expect(field({ session: client('2001:db8::1') })).toContain('([IPv6:2001:db8::1])')
  })
  it.each(['x)\tby evil.example', 'a"b', 'name;', 'ü.example', '-', 'a'.repeat(300)])(
    'leaves out the HELO name %j, which could say anything',
    (helo) => {
      expect(field({ session: { helo } })).toMatch(
        /^Received: from \[192\.0\.2\.1\] \(\[192\.0\.2\.1\]\)\r\n/,
      )
    },
  )
  it.each(['[192.0.2.7]', '[IPv6:2001:db8::1]', 'EXCH01', 'under_score.example'])(
    'keeps the HELO name %s',
    (helo) => {
      expect(field({ session: { helo } })).toContain(`from ${helo} (`)
    },
  )
})
