/**
 * From a smart host as it is configured to addresses. A name's address records count, as the machine itself
 * would look them up (so /etc/hosts is honoured); its MX records count where it has only those, which is how
 * Exchange expresses a preference among smart hosts (send-connectors §1).
 */
import { lookup, resolveMx } from 'node:dns/promises'
import { isIP } from 'node:net'
import { printable } from '../reply.ts'

/** One address of one smart host. The name is what its certificate must carry, whatever it resolved to. */
export interface HostAddress {
  /** As configured: a name, or the address itself. */
  readonly name: string
  readonly address: string
}

export type Resolution =
  /** Addresses in order of preference; those of one tier are equally good. */
  | { readonly tiers: readonly (readonly string[])[] }
  /** `final`: there is no such name or it has no address. Otherwise the lookup failed and may succeed later. */
  | { readonly error: string; readonly final: boolean }

/** Never rejects. */
export type Resolver = (name: string) => Promise<Resolution>

/** What a resolver asks; both reject as `node:dns/promises` does. */
export interface DnsQuestions {
  readonly addresses: (name: string) => Promise<readonly string[]>
  readonly exchanges: (name: string) => Promise<readonly { exchange: string; priority: number }[]>
  readonly timeoutMs: number
}

export const systemResolver: Resolver = createResolver({
  addresses: async (name) =>
    (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address),
  exchanges: resolveMx,
  timeoutMs: 20_000,
})

export function createResolver(questions: DnsQuestions): Resolver {
  return async (name) => {
    const literal = addressLiteral(name)
    if (literal !== null) return { tiers: [[literal]] }
    try {
      return await withinTime(resolveName(name, questions), questions.timeoutMs)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return { error: printable(code ?? message), final: isAbsence(error) }
    }
  }
}

async function resolveName(name: string, questions: DnsQuestions): Promise<Resolution> {
  try {
    const addresses = await questions.addresses(name)
    if (addresses.length > 0) return { tiers: [addresses] }
  } catch (error) {
    if (!isAbsence(error)) throw error
  }
  const tiers: string[][] = []
  let failure: unknown = null
  for (const exchanges of byPriority(await questions.exchanges(name))) {
    const found = await Promise.allSettled(exchanges.map((exchange) => questions.addresses(exchange)))
    const tier = found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    if (tier.length > 0) tiers.push(tier)
    for (const result of found)
      if (result.status === 'rejected' && !isAbsence(result.reason)) failure = result.reason
  }
  if (tiers.length === 0 && failure !== null) throw failure
  return tiers.length > 0 ? { tiers } : { error: 'no mail exchanger with an address', final: true }
}

/** Names of equal priority together, lowest first; the null MX (RFC 7505) is no host. */
function byPriority(records: readonly { exchange: string; priority: number }[]): string[][] {
  const groups = new Map<number, string[]>()
  for (const { exchange, priority } of records) {
    if (exchange === '' || exchange === '.') continue
    const group = groups.get(priority)
    if (group) group.push(exchange)
    else groups.set(priority, [exchange])
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, names]) => names)
}

/** `192.0.2.1`, `2001:db8::1`, or either in brackets. */
function addressLiteral(text: string): string | null {
  const bare = text.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1')
  return isIP(bare) ? bare : null
}

const absences = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NODATA', 'EAI_NONAME'])

function isAbsence(error: unknown): boolean {
  return absences.has((error as NodeJS.ErrnoException).code ?? '')
}

/** The system's lookup cannot be cancelled: a late answer is dropped. */
async function withinTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('no answer'), { code: 'ETIMEOUT' })), timeoutMs)
  })
  try {
    return await Promise.race([answer, timeout])
  } finally {
    clearTimeout(timer)
  }
}
