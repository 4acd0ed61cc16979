/** What the inspector and its worker say to each other. One message is inspected at a time. */
import type { MessageContent } from './content.ts'

/** Octets of the message being inspected, or the order to give it up. */
export type ToWorker =
  | {
      readonly kind: 'bytes'
      readonly bytes: Uint8Array
      readonly last: boolean
    }
  | { readonly kind: 'abandon' }

export type FromWorker =
  /** Once, at the beginning. */
  | { readonly kind: 'ready' }
  /** Octets that were not the last have been read: others may come. */
  | { readonly kind: 'read' }
  | { readonly kind: 'content'; readonly content: MessageContent }
  | { readonly kind: 'failed'; readonly reason: string }
