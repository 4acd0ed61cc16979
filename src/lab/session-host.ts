/** What a session of the sandbox needs of the whole: its settings, its switches, its counts, and a place for mail. */
import type { SecureContext } from 'node:tls'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import type { Reply } from '../reply.ts'
import type { MessageFacts } from './message-digest.ts'
import type { Misbehaviours } from './misbehaviour.ts'

export interface SessionHost {
  readonly name: string
  readonly tls: 'starttls' | 'implicit' | 'none'
  readonly secureContext: SecureContext | null
  readonly user: string
  readonly password: string
  readonly maxMessageSizeBytes: number
  readonly keepsContent: boolean
  readonly paused: boolean
  readonly switches: SandboxSwitches
  readonly counts: SandboxCounts
  readonly misbehaviours: Misbehaviours
  /** Takes the message; `answer` comes when it may be confirmed, or with what prevented it. */
  keep(message: ReceivedMessage, answer: (result: { id: string } | { error: Error }) => void): void
}

/** Faults of the whole host. They can be changed at any time and hold from the next command on. */
export interface SandboxSwitches {
  /** Said instead of 220, then the connection is closed. */
  greeting: Reply | null
  offerStartTls: boolean
  offerAuth: boolean
  /** The answer to right credentials; null takes them. */
  refuseAuth: Reply | null
  /** Further ones are greeted with 421. */
  maxConnections: number
  /** A MAIL beyond it is answered 421. */
  maxMessagesPerConnection: number
}

export interface SandboxCounts {
  connections: number
  authentications: number
  authenticationsRefused: number
  /** Messages taken, whether or not the client learned of it. */
  messages: number
  recipients: number
  /** Content of the messages taken. */
  bytes: number
  /** Replies 4yz and 5yz. */
  refusals: number
}

export interface ReceivedMessage extends MessageFacts {
  readonly sender: EnvelopeSender
  readonly recipients: readonly EnvelopeRecipient[]
  readonly receivedAt: number
  /** `TLSv1.3 TLS_AES_256_GCM_SHA384`; null in clear. */
  readonly tls: string | null
  readonly user: string
  /** As received, dots unstuffed; null where the sandbox only counts. */
  readonly raw: Buffer | null
}
