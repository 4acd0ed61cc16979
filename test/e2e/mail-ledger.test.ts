/** The books of the end-to-end tests find what does not balance: else every test that ends with them would say nothing. */
import { expect, it } from 'vitest'
import type { LedgerEntry } from '../../src/lab/ledger.ts'
import type { LoadResult } from '../../src/lab/load.ts'
import { balanced, balanceNow } from '../support/mail-ledger.ts'
import type { ListedItem, LogLine } from '../support/relay-process.ts'

const accepted = [{ from: 'sender@example.com', to: ['anna@example.org', 'bert@example.org'] }]

function taken(to: readonly string[], fields: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    ...{ run: null, seq: null, sizeBytes: 100, sha256: '', from: 'sender@example.com', to },
    ...{ receivedAt: 0, messageId: null },
    ...fields,
  }
}

function logged(event: string, ...addresses: readonly string[]): LogLine {
  return { level: 'info', event, recipients: addresses.map((address) => ({ address, reply: '' })) }
}

const waiting = (address: string, state = 'pending') =>
  ({ state: 'ready', recipients: [{ address, state, lastReply: null }] }) as unknown as ListedItem

/** A relay that is seen from outside only. */
const relay = (history: readonly LogLine[] = [], queue: ListedItem[] = []) => ({
  history,
  running: true,
  queue: async () => queue,
})

async function books(
  ledger: readonly LedgerEntry[],
  ...relays: Parameters<typeof balanceNow>[0]['relays']
): Promise<readonly string[]> {
  return (await balanceNow({ accepted, hosts: [{ ledger }], relays })).balance.unbalanced
}

it('balances where each recipient has one fate', async () => {
  const { balance } = await balanceNow({
    accepted: [...accepted, { from: '', to: ['carl@example.org'] }],
    hosts: [{ ledger: [taken(['anna@example.org']), taken(['sender@example.com'], { from: '' })] }],
    relays: [
      relay(
        [logged('delivered', 'anna@example.org'), logged('failed', 'bert@example.org')],
        [waiting('carl@example.org'), waiting('anna@example.org', 'delivered')],
      ),
    ],
  })
  expect(balance).toEqual(balanced({ delivered: 1, bounced: 1, queued: 1 }))
})

it('counts what an operator removed', async () => {
  const history = [{ level: 'info', event: 'removed', recipients: ['bert@example.org'] }]
  const { balance } = await balanceNow({
    ...{ accepted, hosts: [{ ledger: [taken(['anna@example.org'])] }], relays: [relay(history)] },
  })
  expect(balance).toEqual(balanced({ delivered: 1, removed: 1 }))
})

it('names who is lost', async () => {
  expect(await books([taken(['anna@example.org'])], relay())).toEqual(['bert@example.org: lost'])
})

it('names who has two fates', async () => {
  const ledger = [taken(['anna@example.org', 'bert@example.org'])]
  const queue = [waiting('bert@example.org')]
  expect(await books(ledger, relay([logged('expired', 'anna@example.org')], queue))).toEqual([
    'anna@example.org: delivered and bounced',
    'bert@example.org: delivered and queued',
  ])
})

it('names who got mail that was never accepted', async () => {
  const ledger = [taken(['anna@example.org', 'bert@example.org']), taken(['eve@example.org'])]
  expect(await books(ledger, relay())).toEqual([
    'eve@example.org: delivered from <sender@example.com>, and never accepted',
  ])
})

it('does not take the word of the mail log for a delivery', async () => {
  const log = [logged('delivered', 'anna@example.org', 'bert@example.org')]
  expect(await books([taken(['anna@example.org'])], relay(log))).toEqual([
    'bert@example.org: lost',
    'bert@example.org: delivered by the mail log, and at no smart host',
  ])
})

it('counts each delivery too many, and does not call it wrong', async () => {
  const ledger = [taken(['anna@example.org', 'bert@example.org']), taken(['anna@example.org'])]
  const { balance } = await balanceNow({ accepted, hosts: [{ ledger }], relays: [relay()] })
  expect(balance).toEqual(balanced({ delivered: 2, duplicates: 1 }))
})

it('names a message of a load run that was altered', async () => {
  const submitted = {
    ...{ seq: 7, sha256: 'a', sizeBytes: 100, from: 'sender@example.com', offered: ['anna@example.org'] },
    ...{ accepted: ['anna@example.org'], acceptedAt: 0, unconfirmed: 0 },
  }
  const runs = [{ run: 'r', submitted: [submitted] } as unknown as LoadResult]
  const ledger = [taken(['anna@example.org'], { run: 'r', seq: 7, sha256: 'b' })]
  const { balance } = await balanceNow({ runs, hosts: [{ ledger }], relays: [relay()] })
  expect(balance.unbalanced).toEqual(['message 7 of run r: altered body'])
})
