/** What policy may do to a message. `edits.ts` does it. */
export type Edit =
  /** Instead of all fields of that name, or new where there is none. */
  | { readonly kind: 'setHeader'; readonly name: string; readonly value: string }
  | { readonly kind: 'addHeader'; readonly name: string; readonly value: string }
  | { readonly kind: 'removeHeader'; readonly name: string }
  | { readonly kind: 'prefixSubject'; readonly text: string }
  | { readonly kind: 'rewriteFrom'; readonly address: string }
  /** Added to what To or Cc says, so that the new recipients are seen. */
  | { readonly kind: 'addMailboxes'; readonly field: 'To' | 'Cc'; readonly addresses: readonly string[] }
  /** All Received fields of the draft: those below ours. */
  | { readonly kind: 'stripReceived' }
  | {
      readonly kind: 'disclaimer'
      readonly text: string
      /** Null: the text. */
      readonly html: string | null
      readonly position: 'append' | 'prepend'
      readonly fallback: 'wrap' | 'ignore' | 'reject'
    }

export type Disclaimer = Extract<Edit, { readonly kind: 'disclaimer' }>
