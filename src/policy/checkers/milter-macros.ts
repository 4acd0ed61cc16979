/**
 * Macros: what a filter is told beside the arguments of a command, by Sendmail's names. Those are sent that Postfix
 * sends, unless the filter gave lists of its own; of those lists, what is known here.
 */
import { domainOf } from '../../address.ts'
import type { Transaction } from '../../smtp/transaction.ts'
import type { Negotiated, Step } from './milter-protocol.ts'

export interface MacroContext {
  readonly hostname: string
  readonly messageId: string
  readonly transaction: Transaction
}

const usual: Readonly<Record<Step, readonly string[]>> = {
  connect: ['j', 'daemon_name', 'v', '_'],
  helo: ['tls_version', 'cipher'],
  mail: ['i', 'auth_type', 'auth_authen', 'mail_addr', 'mail_host', 'mail_mailer'],
  rcpt: ['i', 'rcpt_addr', 'rcpt_host', 'rcpt_mailer'],
  data: ['i'],
  header: [],
  endOfHeader: ['i'],
  body: [],
  endOfMessage: ['i'],
}

export class Macros {
  readonly #known: Readonly<Record<string, string | null>>
  readonly #lists: Negotiated['macros']

  constructor(context: MacroContext, { macros }: Pick<Negotiated, 'macros'>) {
    this.#known = knownMacros(context)
    this.#lists = macros
  }

  /** The recipient is the one of the command. */
  of(step: Step, recipient: string | null = null): Map<string, string> {
    const known = recipient === null ? this.#known : { ...this.#known, ...recipientMacros(recipient) }
    const values = new Map<string, string>()
    for (const name of this.#lists.get(step) ?? usual[step]) {
      const value = known[name] ?? null
      if (value !== null) values.set(name, value)
    }
    return values
  }
}

function knownMacros({ hostname, messageId, transaction }: MacroContext): Record<string, string | null> {
  const { session, sender } = transaction
  const { address, listener, user } = session.client
  const [tlsVersion = null, cipher = null] = session.tls?.split(' ') ?? []
  return {
    i: messageId,
    j: hostname,
    v: 'smarthost-relay',
    r: session.protocol,
    s: session.helo,
    _: address === null ? null : `unknown [${address}]`,
    client_addr: address,
    client_name: 'unknown',
    daemon_name: listener ?? hostname,
    tls_version: tlsVersion,
    cipher,
    // Which mechanism it was is not kept. Filters ask whether there was one, and both of ours send a password.
    auth_type: user === null ? null : 'PLAIN',
    auth_authen: user,
    mail_addr: sender.from,
    mail_host: domainOf(sender.from),
    mail_mailer: 'smtp',
  }
}

function recipientMacros(address: string): Record<string, string> {
  return { rcpt_addr: address, rcpt_host: domainOf(address), rcpt_mailer: 'smtp' }
}
