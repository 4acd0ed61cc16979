/**
 * What would become of a message, and why: whether its client may submit it, what each rule makes of it, and for each
 * recipient which connector would take it and why every other one would not. It asks the same decisions as the mail
 * does, sends nothing, asks no outside checker and counts against no limit.
 */
import type { Config } from '../../config/schema.ts'
import type { MessageContent } from '../../message/content/content.ts'
import type { Draft } from '../../message/draft.ts'
import { fromAddresses, parseHeader } from '../../message/header.ts'
import { HeaderView } from '../../message/header-view.ts'
import { type RecipientFate, type Rehearsal, rehearse } from '../../policy/rehearsal.ts'
import type { CompiledRules } from '../../policy/rules/evaluate.ts'
import type { Variant } from '../../policy/rules/verdict.ts'
import { fromRefusal } from '../../policy/sender-rights.ts'
import type { Reply } from '../../reply.ts'
import { type Decision, explain, type Routes, senderIdentity, type Why } from '../../route/route.ts'
import type { Step } from '../../route/steps.ts'
import { AllowedNetworks, admit } from '../../smtp/access.ts'
import type { SenderRights } from '../../smtp/transaction.ts'

export interface ExplainedMessage {
  /** Null is the null reverse-path. */
  readonly from: string | null
  readonly to: readonly string[]
  readonly sizeBytes: number | null
  /** Header fields alone where no message was given. */
  readonly draft: Draft
  /** The client's; null: not asked about. */
  readonly ip: string | null
}

/** What the mail is decided by. */
export interface Deciders {
  readonly routing: Config['routing']
  readonly access: Config['access']
  readonly routes: Routes
  /** Null where there are none. */
  readonly rules: CompiledRules | null
  readonly inspector: { inspect(draft: Draft): Promise<MessageContent> }
  readonly now: number
}

export interface Explanation {
  /** Every recipient leaves by a connector, and the client may submit. */
  readonly routed: boolean
  /** Null where no address was asked about. */
  readonly access: {
    readonly ip: string
    /** As whom it may send; null: it may not. */
    readonly senders: SenderRights | null
    readonly refusal: Reply | null
  } | null
  readonly sender: {
    readonly identity: string | null
    readonly from: Config['routing']['senderIdentity']
    /** What is wrong with the From field, where it counts and is no one mailbox. */
    readonly defect: string | null
  }
  /** Null where there are no rules. */
  readonly policy: Rehearsal | null
  readonly recipients: readonly ExplainedRecipient[]
}

export interface ExplainedRecipient {
  readonly recipient: string
  /** What the rules do to it, in words; null: nothing. */
  readonly policy: string | null
  /** Null where it does not go on, or a rule chose the connector. */
  readonly steps: readonly Step[] | null
  readonly decision: Decision | null
}

export async function explainMessage(message: ExplainedMessage, by: Deciders): Promise<Explanation> {
  const sender = senderOf(message, by.routing)
  const access = message.ip === null ? null : accessOf({ ...message, ip: message.ip }, by.access)
  const policy = by.rules === null ? null : await rehearsalOf(message, { ...by, rules: by.rules })
  const routed = (address: string, variant: Variant | null) => {
    // A report keeps the null reverse-path, whatever a rule says.
    const identity = (message.from === null ? null : variant?.sender) ?? sender.identity
    return explain(by.routes, { sender: identity, recipient: address, sizeBytes: message.sizeBytes })
  }
  const recipients =
    policy === null
      ? message.to.map((recipient) => ({ recipient, policy: null, ...routed(recipient, null) }))
      : withAdded(
          policy.fates.flatMap((fate) => afterRules(fate, routed)),
          addedBy(policy, routed),
        )
  const leaves = recipients.every(
    ({ policy, decision }) => decision?.kind === 'connector' || (decision === null && policy === dropped),
  )
  return { routed: leaves && !access?.refusal, access, sender, policy, recipients }
}

/** Mail programs save messages with the line ends of their system; a client sends CRLF. */
export function asSubmitted(bytes: Buffer): Buffer {
  return bytes.includes('\r\n')
    ? bytes
    : Buffer.from(bytes.toString('latin1').replace(/\n/g, '\r\n'), 'latin1')
}

function rehearsalOf(
  message: ExplainedMessage,
  { rules, inspector, now }: Deciders & { readonly rules: CompiledRules },
): Promise<Rehearsal> {
  const rehearsed = {
    sender: message.from ?? '',
    recipients: message.to,
    client: { address: message.ip, listener: null, user: null },
    now,
    sizeBytes: message.sizeBytes ?? 0,
    draft: message.draft,
  }
  return rehearse(rules, rehearsed, inspector)
}

type Routed = (address: string, variant: Variant) => { steps: readonly Step[]; decision: Decision }

const dropped = 'dropped: nobody is told'

function afterRules(
  { recipient, fate, reply, variant }: RecipientFate,
  routed: Routed,
): ExplainedRecipient[] {
  if (reply !== null) return [{ recipient, policy: null, steps: null, decision: { kind: 'refuse', reply } }]
  if (variant === null) return [{ recipient, policy: dropped, steps: null, decision: null }]
  const held = fate === 'hold' ? `held: ${variant.hold}` : null
  return (variant.redirectTo ?? [recipient]).map((address) => ({
    recipient: address,
    policy: address === recipient ? held : [`in place of ${recipient}`, ...(held ? [held] : [])].join('; '),
    ...wayOf(address, { variant, routed }),
  }))
}

/** Whom the message goes to anyway gets nothing more. */
function withAdded(own: ExplainedRecipient[], added: ExplainedRecipient[]): ExplainedRecipient[] {
  const reached = new Set(
    own.filter(({ decision }) => decision?.kind === 'connector').map((each) => each.recipient),
  )
  return [...own, ...added.filter(({ recipient }) => !reached.has(recipient))]
}

/** Those whom rules add, once each. */
function addedBy({ verdict }: Rehearsal, routed: Routed): ExplainedRecipient[] {
  if (verdict.kind === 'refuse') return []
  const added = new Map(
    verdict.variants.flatMap((variant) => variant.added.map((address) => [address, variant])),
  )
  return [...added].map(([address, variant]) => ({
    recipient: address,
    policy: 'added by a rule',
    ...wayOf(address, { variant, routed }),
  }))
}

function wayOf(
  address: string,
  { variant, routed }: { variant: Variant; routed: Routed },
): Pick<ExplainedRecipient, 'steps' | 'decision'> {
  if (variant.connector === null) return routed(address, variant)
  const why: Why = { rule: 'policy', entry: variant.connector }
  return { steps: null, decision: { kind: 'connector', connector: variant.connector, why } }
}

function senderOf(
  message: ExplainedMessage,
  { senderIdentity: from }: Config['routing'],
): Explanation['sender'] {
  const author = fromAddresses(parseHeader(message.draft.header))
  const headerFrom = 'address' in author ? author.address : null
  const identity = senderIdentity(from, { envelopeFrom: message.from, headerFrom })
  return { identity, from, defect: from === 'envelope' || 'address' in author ? null : author.defect }
}

/** As the relay would before AUTH, which cannot be asked here; the From field only where one is given. */
function accessOf(
  message: ExplainedMessage & { readonly ip: string },
  { networks, users, fromField }: Config['access'],
): Explanation['access'] {
  const { ip } = message
  const networkSenders = new AllowedNetworks(networks).sendersOf(ip)
  const client = { address: ip, networkSenders, user: null, authOffered: users.length > 0 }
  const admission = admit(client, message.from ?? '')
  if ('refusal' in admission) return { ip, senders: networkSenders, refusal: admission.refusal }
  const header = new HeaderView(message.draft.header)
  const asked = fromField === 'check' && header.values('from').length > 0
  return { ip, ...admission, refusal: asked ? fromRefusal(admission.senders, header) : null }
}
