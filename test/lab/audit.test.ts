import { describe, expect, it } from 'vitest'
import { type Audit, auditRun, isKept, type SubmittedMessage } from '../../src/lab/audit.ts'
import type { LedgerEntry } from '../../src/lab/ledger.ts'

const accepted = (seq: number, change: Partial<SubmittedMessage> = {}): SubmittedMessage => ({
  ...{ seq, sha256: `hash ${seq}`, sizeBytes: 100, from: 'a@example.com', offered: ['x@example.org'] },
  ...{ accepted: change.offered ?? ['x@example.org'], acceptedAt: 1000, unconfirmed: 0 },
  ...change,
})

const unanswered = (seq: number, change: Partial<SubmittedMessage> = {}): SubmittedMessage =>
  accepted(seq, { accepted: [], acceptedAt: null, unconfirmed: 1, ...change })

const arrived = (seq: number, change: Partial<LedgerEntry> = {}): LedgerEntry => ({
  ...{ run: 'r', seq, sizeBytes: 300, sha256: `hash ${seq}`, from: 'a@example.com', to: ['x@example.org'] },
  ...{ receivedAt: 2000, messageId: null },
  ...change,
})

const nothing: Audit = {
  ...{ accepted: 0, delivered: 0, lost: [], duplicated: [], altered: [] },
  ...{ withoutConfirmation: [], sentAgain: [], unexpected: [] },
}
const two = ['x@example.org', 'y@example.org']

const cases: [claim: string, submitted: SubmittedMessage[], ledger: LedgerEntry[], audit: Partial<Audit>][] =
  [
    ['nothing submitted, nothing arrived', [], [], {}],
    [
      'each arrived once',
      [accepted(1), accepted(2)],
      [arrived(2), arrived(1)],
      { accepted: 2, delivered: 2 },
    ],
    [
      'one never arrived',
      [accepted(1), accepted(2)],
      [arrived(1)],
      { accepted: 2, delivered: 1, lost: [{ seq: 2, recipients: ['x@example.org'] }] },
    ],
    [
      'one arrived for one of its recipients only',
      [accepted(1, { offered: two })],
      [arrived(1)],
      { accepted: 2, delivered: 1, lost: [{ seq: 1, recipients: ['y@example.org'] }] },
    ],
    [
      'one was split by recipient',
      [accepted(1, { offered: two })],
      [arrived(1, { to: [two[1]!] }), arrived(1, { to: [two[0]!] })],
      { accepted: 2, delivered: 2 },
    ],
    [
      'a recipient was refused at RCPT and the rest arrived',
      [accepted(1, { offered: two, accepted: [two[0]!] })],
      [arrived(1)],
      { accepted: 1, delivered: 1 },
    ],
    [
      'one arrived twice',
      [accepted(1)],
      [arrived(1), arrived(1)],
      { accepted: 1, delivered: 1, duplicated: [{ seq: 1, recipient: 'x@example.org', times: 1 }] },
    ],
    [
      'one arrived twice for one of its recipients',
      [accepted(1, { offered: two })],
      [arrived(1, { to: two }), arrived(1, { to: [two[1]!] }), arrived(1, { to: [two[1]!] })],
      { accepted: 2, delivered: 2, duplicated: [{ seq: 1, recipient: 'y@example.org', times: 2 }] },
    ],
    [
      'one arrived twice because the client saw no answer and sent it again',
      [accepted(1, { unconfirmed: 1 })],
      [arrived(1), arrived(1)],
      { accepted: 1, delivered: 1, sentAgain: [1] },
    ],
    [
      'one arrived more often than it was sent',
      [accepted(1, { unconfirmed: 1 })],
      [arrived(1), arrived(1), arrived(1)],
      { accepted: 1, delivered: 1, duplicated: [{ seq: 1, recipient: 'x@example.org', times: 1 }] },
    ],
    ['one arrived that was never answered', [unanswered(1)], [arrived(1)], { withoutConfirmation: [1] }],
    ['one that was never answered did not arrive', [unanswered(1)], [], {}],
    ['one arrived that was never sent to its end', [], [arrived(9)], { unexpected: [9] }],
    [
      'a body changed',
      [accepted(1)],
      [arrived(1, { sha256: 'other' })],
      { accepted: 1, delivered: 1, altered: [{ seq: 1, what: ['body'] }] },
    ],
    [
      'header fields are missing',
      [accepted(1)],
      [arrived(1, { sizeBytes: 99 })],
      { accepted: 1, delivered: 1, altered: [{ seq: 1, what: ['size'] }] },
    ],
    [
      'the sender changed',
      [accepted(1)],
      [arrived(1, { from: '' })],
      { accepted: 1, delivered: 1, altered: [{ seq: 1, what: ['sender'] }] },
    ],
    [
      'a recipient was added',
      [accepted(1)],
      [arrived(1, { to: ['x@example.org', 'z@example.org'] })],
      { accepted: 1, delivered: 1, altered: [{ seq: 1, what: ['recipients'] }] },
    ],
    [
      'a domain is written in another case',
      [accepted(1, { offered: ['X@Example.ORG'] })],
      [arrived(1, { to: ['X@example.org'], from: 'a@EXAMPLE.com' })],
      { accepted: 1, delivered: 1 },
    ],
    [
      'a local part is written in another case',
      [accepted(1)],
      [arrived(1, { to: ['X@example.org'] })],
      {
        ...{ accepted: 1, delivered: 0, lost: [{ seq: 1, recipients: ['x@example.org'] }] },
        altered: [{ seq: 1, what: ['recipients'] }],
      },
    ],
    [
      'mail of other runs and other mail is there',
      [accepted(1)],
      [arrived(1), arrived(1, { run: 'other' }), arrived(0, { run: null, seq: null })],
      { accepted: 1, delivered: 1 },
    ],
  ]

describe('auditRun', () => {
  it.each(cases)('balances the books where %s', (_, submitted, ledger, audit) => {
    expect(auditRun(submitted, ledger, { run: 'r' })).toEqual({ ...nothing, ...audit })
  })
})

it('calls a run kept unless something was lost or altered', () => {
  expect(isKept({ ...nothing, duplicated: [{ seq: 1, recipient: 'x', times: 1 }], unexpected: [1] })).toBe(
    true,
  )
  expect(isKept({ ...nothing, lost: [{ seq: 1, recipients: ['x'] }] })).toBe(false)
  expect(isKept({ ...nothing, altered: [{ seq: 1, what: ['body'] }] })).toBe(false)
})
