/**
 * The books of an end-to-end test. Every recipient that a client was promised is exactly one of delivered,
 * bounced, removed, or still queued: on one side stands what the client was told, on the other what the smart
 * hosts took, what the queue holds, and what the mail log says. Entries are matched by recipient, so each
 * message of a test needs recipients of its own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { auditRun } from '../../src/lab/audit.ts'
import type { LedgerEntry } from '../../src/lab/ledger.ts'
import type { LoadResult } from '../../src/lab/load.ts'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import type { RawServer } from './raw-server.ts'
import type { LogLine, RelayProcess } from './relay-process.ts'

/** A message that was answered with 250, with the recipients that were. */
export interface AcceptedMail {
  readonly from: string
  readonly to: readonly string[]
}

export interface Books {
  readonly accepted?: readonly AcceptedMail[]
  readonly runs?: readonly LoadResult[]
  /** Sandboxes must keep their ledger, and their messages where a DSN is expected. */
  readonly hosts: readonly Host[]
  readonly relays: readonly Pick<RelayProcess, 'history' | 'running' | 'queue'>[]
}

/** Where mail ends: a sandbox, a scripted host, or the ledger file of a sandbox in another process. */
export type Host = Sandbox | RawServer | { readonly ledger: readonly LedgerEntry[] }

export interface Balance {
  /** Recipients that a 250 stands for; each is counted once below. */
  readonly accepted: number
  readonly delivered: number
  readonly bounced: number
  readonly removed: number
  readonly queued: number
  /** Deliveries beyond the first of a recipient. */
  readonly duplicates: number
  /** What is wrong, in words; empty where the books balance. */
  readonly unbalanced: readonly string[]
}

/** What a test expects: books that balance with these sums, and none of what is not named. */
export function balanced(
  sums: Partial<Pick<Balance, 'delivered' | 'bounced' | 'removed' | 'queued' | 'duplicates'>>,
): Balance {
  const all = { delivered: 0, bounced: 0, removed: 0, queued: 0, duplicates: 0, ...sums }
  const accepted = all.delivered + all.bounced + all.removed + all.queued
  return { accepted, ...all, unbalanced: [] }
}

/** How long an attempt under way, or a log line on its way to us, may keep the books open. */
const patienceMs = 5_000

/** Reads all sources again until the books balance, or for some seconds; then they stand as they are. */
export async function balanceOf(books: Books): Promise<Balance> {
  const giveUpAt = Date.now() + patienceMs
  for (;;) {
    const { balance, open } = await balanceNow(books)
    if ((balance.unbalanced.length === 0 && !open) || Date.now() > giveUpAt) return balance
    await sleep(50)
  }
}

interface Delivery {
  readonly from: string
  readonly to: readonly string[]
}

type Fate = 'delivered' | 'bounced' | 'removed' | 'queued'

/** `open` while an attempt is under way: what it leads to is not in the books yet. */
export async function balanceNow(books: Books): Promise<{ balance: Balance; open: boolean }> {
  const promised = promisesOf(books)
  const deliveries = books.hosts.flatMap(deliveriesAt)
  const log = books.relays.flatMap((relay) => relay.history)
  const queue = await queuesOf(books.relays)
  const delivered = tally(deliveries.flatMap(({ to }) => to))
  const removed = new Set(removedIn(log))
  // What an operator removes may be reported to the sender, as a failure: its fate is to be removed.
  const reported = books.hosts.flatMap(failuresReportedAt).filter((recipient) => !removed.has(recipient))
  const fates: Record<Fate, ReadonlySet<string>> = {
    delivered: new Set(delivered.keys()),
    bounced: new Set([...bouncedIn(log), ...reported]),
    removed,
    queued: new Set(queue.pending),
  }
  const sums = { delivered: 0, bounced: 0, removed: 0, queued: 0 }
  const unbalanced: string[] = []
  let duplicates = 0
  for (const [recipient, times] of promised.certain) {
    const is = fateNames.filter((fate) => fates[fate].has(recipient))
    if (times > 1) unbalanced.push(`${recipient}: recipient of ${times} messages, cannot be told apart`)
    else if (is.length !== 1) unbalanced.push(`${recipient}: ${is.length === 0 ? 'lost' : is.join(' and ')}`)
    if (is[0] !== undefined) sums[is[0]]++
    duplicates += Math.max(0, (delivered.get(recipient) ?? 0) - 1)
  }
  unbalanced.push(
    ...unexpected(deliveries, promised),
    ...deliveredInVain(log, fates.delivered),
    ...alterations(books),
  )
  return { balance: { accepted: promised.certain.size, ...sums, duplicates, unbalanced }, open: queue.leased }
}

const fateNames: readonly Fate[] = ['delivered', 'bounced', 'removed', 'queued']

interface Promises {
  /** Recipients a 250 stands for, and in how many messages. */
  readonly certain: ReadonlyMap<string, number>
  /** Of messages that were sent to their end without an answer: any fate is right. */
  readonly possible: ReadonlySet<string>
  /** Who may be sent a DSN. */
  readonly senders: ReadonlySet<string>
}

function promisesOf({ accepted = [], runs = [] }: Books): Promises {
  const submitted = runs.flatMap((run) => run.submitted)
  const all = [...accepted, ...submitted.map(({ from, accepted: to }) => ({ from, to }))]
  return {
    certain: tally(all.flatMap(({ to }) => to)),
    possible: new Set(submitted.filter((one) => one.unconfirmed > 0).flatMap((one) => one.offered)),
    senders: new Set(all.map(({ from }) => from)),
  }
}

function tally(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

function deliveriesAt(host: Host): readonly Delivery[] {
  if ('ledger' in host) return host.ledger
  return host.messages.map(({ envelope }) => ({
    from: pathIn(envelope, 'MAIL')[0] ?? '',
    to: pathIn(envelope, 'RCPT'),
  }))
}

function pathIn(commands: readonly string[], verb: string): string[] {
  return commands.flatMap((line) => (line.startsWith(verb) ? [/<(.*?)>/.exec(line)![1]!] : []))
}

/** The failed recipients that DSNs at a host name (RFC 3464 §2.3). */
export function failuresReportedAt(host: Host): string[] {
  if (!('ledger' in host) || !('messages' in host)) return []
  return host.messages
    .filter(({ envelope }) => envelope.from === '')
    .flatMap(({ raw }) => raw.toString('latin1').split('\r\n\r\n'))
    .filter((fields) => /^Action: failed$/im.test(fields))
    .flatMap((fields) => /^Final-Recipient: rfc822; ?(.+)$/im.exec(fields)?.[1]?.trim() ?? [])
}

const addressesOf = (line: LogLine): string[] =>
  (line.recipients as { address: string }[]).map(({ address }) => address)

function bouncedIn(log: readonly LogLine[]): string[] {
  return [
    ...log.filter(({ event }) => event === 'failed' || event === 'expired').flatMap(addressesOf),
    ...log.filter(({ event }) => event === 'refused').flatMap((line) => line.recipients as string[]),
  ]
}

/** What policy dropped, and what an operator removed. */
function removedIn(log: readonly LogLine[]): string[] {
  return log
    .filter(({ event }) => event === 'dropped' || event === 'removed')
    .flatMap((line) => line.recipients as string[])
}

/** Relays that share a store list the same items. */
async function queuesOf(relays: Books['relays']): Promise<{ pending: string[]; leased: boolean }> {
  const listed = await Promise.all(relays.filter((relay) => relay.running).map((relay) => relay.queue()))
  const items = listed.flat()
  return {
    pending: items
      .flatMap(({ recipients }) => recipients)
      .filter(({ state }) => state === 'pending')
      .map(({ address }) => address),
    leased: items.some(({ state }) => state === 'leased'),
  }
}

/** Mail at a host that nobody was promised, and that is no DSN of ours. */
function unexpected(deliveries: readonly Delivery[], { certain, possible, senders }: Promises): string[] {
  return deliveries.flatMap(({ from, to }) =>
    to
      .filter((recipient) => !certain.has(recipient) && !possible.has(recipient))
      .filter((recipient) => from !== '' || !senders.has(recipient))
      .map((recipient) => `${recipient}: delivered from <${from}>, and never accepted`),
  )
}

/** A mail log that says delivered of what no host has. */
function deliveredInVain(log: readonly LogLine[], delivered: ReadonlySet<string>): string[] {
  return log
    .filter(({ event }) => event === 'delivered')
    .flatMap(addressesOf)
    .filter((recipient) => !delivered.has(recipient))
    .map((recipient) => `${recipient}: delivered by the mail log, and at no smart host`)
}

function alterations({ runs = [], hosts }: Books): string[] {
  const entries = hosts.flatMap((host) => ('ledger' in host ? host.ledger : []))
  return runs.flatMap(({ run, submitted }) =>
    auditRun(submitted, entries, { run }).altered.map(
      ({ seq, what }) => `message ${seq} of run ${run}: altered ${what.join(', ')}`,
    ),
  )
}
