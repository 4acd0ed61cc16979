/**
 * The audit of a load run: what the relay promised (the load generator's 250s) against what arrived (the sandbox's
 * ledger), per message and recipient, since a relay may split a message by recipient. Where the client sent a
 * message but saw no answer, SMTP leaves open whether it was taken: such a delivery is no fault, and neither
 * is one more delivery of a message that was sent again for that reason; both are counted apart.
 */
import type { LedgerEntry } from './ledger.ts'

/** A message that was accepted, or of which the client does not know whether it was. */
export interface SubmittedMessage {
  readonly seq: number
  readonly sha256: string
  readonly sizeBytes: number
  readonly from: string
  /** The recipients it was sent for. */
  readonly offered: readonly string[]
  /** Those of them that the 250 stands for; none where there was no 250. */
  readonly accepted: readonly string[]
  /** When the 250 came (epoch ms). */
  readonly acceptedAt: number | null
  /** How often it was sent to its end without an answer. */
  readonly unconfirmed: number
}

export type Alteration = 'body' | 'size' | 'sender' | 'recipients'

export interface Audit {
  /** Pairs of message and recipient that a 250 stands for. */
  readonly accepted: number
  /** Those that arrived. */
  readonly delivered: number
  readonly lost: readonly { readonly seq: number; readonly recipients: readonly string[] }[]
  /** `times`: deliveries beyond those the client may have caused. */
  readonly duplicated: readonly { readonly seq: number; readonly recipient: string; readonly times: number }[]
  readonly altered: readonly { readonly seq: number; readonly what: readonly Alteration[] }[]
  /** Delivered, but the client never saw a 250 for it. */
  readonly withoutConfirmation: readonly number[]
  /** Delivered more than once because the client had to send again. */
  readonly sentAgain: readonly number[]
  /** Of this run, but never sent to the end: nothing explains them. */
  readonly unexpected: readonly number[]
}

/** True where every promise was kept. Duplicates are reported but can be SMTP's own (design §2.2). */
export const isKept = (audit: Audit): boolean => audit.lost.length === 0 && audit.altered.length === 0

export function auditRun(
  submitted: Iterable<SubmittedMessage>,
  ledger: Iterable<LedgerEntry>,
  { run }: { run: string },
): Audit {
  const messages = new Map<number, Balance>()
  for (const message of submitted)
    messages.set(message.seq, { message, arrivals: new Map(), altered: new Set() })
  const unexpected: number[] = []
  for (const entry of ledger) {
    if (entry.run !== run || entry.seq === null) continue
    const balance = messages.get(entry.seq)
    if (balance) enter(balance, entry)
    else unexpected.push(entry.seq)
  }
  return { ...close([...messages.values()]), unexpected }
}

/** One message's two sides. */
interface Balance {
  readonly message: SubmittedMessage
  /** By recipient, how often it arrived. */
  readonly arrivals: Map<string, number>
  readonly altered: Set<Alteration>
}

function enter({ message, arrivals, altered }: Balance, entry: LedgerEntry): void {
  if (entry.sha256 !== message.sha256) altered.add('body')
  // A relay adds trace fields and takes nothing away.
  if (entry.sizeBytes < message.sizeBytes) altered.add('size')
  if (comparable(entry.from) !== comparable(message.from)) altered.add('sender')
  const offered = message.offered.map(comparable)
  for (const recipient of entry.to.map(comparable)) {
    if (!offered.includes(recipient)) altered.add('recipients')
    arrivals.set(recipient, (arrivals.get(recipient) ?? 0) + 1)
  }
}

function close(balances: readonly Balance[]): Omit<Audit, 'unexpected'> {
  const lost = balances.map(lostOf).filter((finding) => finding.recipients.length > 0)
  const accepted = balances.reduce((sum, { message }) => sum + message.accepted.length, 0)
  return {
    accepted,
    delivered: accepted - lost.reduce((sum, finding) => sum + finding.recipients.length, 0),
    lost,
    duplicated: balances.flatMap(duplicatesOf),
    altered: balances
      .filter(({ altered }) => altered.size > 0)
      .map(({ message, altered }) => ({ seq: message.seq, what: [...altered] })),
    withoutConfirmation: seqs(
      balances.filter(({ message, arrivals }) => message.accepted.length === 0 && arrivals.size > 0),
    ),
    sentAgain: seqs(
      balances.filter(
        (balance) =>
          duplicatesOf(balance).length === 0 && [...balance.arrivals.values()].some((times) => times > 1),
      ),
    ),
  }
}

function lostOf({ message, arrivals }: Balance): { seq: number; recipients: string[] } {
  return {
    seq: message.seq,
    recipients: message.accepted.filter((recipient) => !arrivals.has(comparable(recipient))),
  }
}

function duplicatesOf({ message, arrivals }: Balance): { seq: number; recipient: string; times: number }[] {
  const explained = message.unconfirmed + (message.acceptedAt === null ? 0 : 1)
  return [...arrivals]
    .filter(([, times]) => times > explained)
    .map(([recipient, times]) => ({ seq: message.seq, recipient, times: times - explained }))
}

const seqs = (balances: readonly Balance[]): number[] => balances.map(({ message }) => message.seq)

/** Domains are compared without case (RFC 5321 §2.4); a relay writes them in lower case. */
function comparable(address: string): string {
  const at = address.lastIndexOf('@')
  return address.slice(0, at) + address.slice(at).toLowerCase()
}
