/** The envelope (RFC 5321 §2.3.1) as it is carried from MAIL and RCPT to the smart host. */

/** RFC 3461 §4.1: `never` stands alone. Null where the client gave no NOTIFY, which means failure and, by choice, delay. */
export type Notify = 'never' | readonly ('success' | 'failure' | 'delay')[] | null

export interface EnvelopeRecipient {
  /** Canonical form of `address.ts`: domain in lower-case A-labels, local part as given. */
  readonly address: string
  readonly notify: Notify
  /** RFC 3461 §4.2, as received (`rfc822;user@example.com`, xtext not decoded). */
  readonly orcpt: string | null
}

export interface EnvelopeSender {
  /** Canonical; the empty string is the null reverse-path. */
  readonly from: string
  /** RFC 6152. */
  readonly bodyType: '7bit' | '8bitmime'
  /** RFC 6531. */
  readonly smtpUtf8: boolean
  /** RFC 3461 §4.3. */
  readonly ret: 'full' | 'hdrs' | null
  /** RFC 3461 §4.4, xtext not decoded. */
  readonly envid: string | null
}

export interface Envelope extends EnvelopeSender {
  readonly to: readonly EnvelopeRecipient[]
}
