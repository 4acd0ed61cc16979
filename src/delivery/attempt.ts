/**
 * What one delivery transaction came to, by scope (as Postfix's smtp_trouble): the smart host answers per
 * recipient, or refuses the message, or there was no usable connection at all. Only `smarthost` makes
 * attempts; only `disposition` decides what follows from one.
 */
import type { Reply } from '../reply.ts'

export type ConnectionFault =
  | 'resolve' // the smart host's name has no address
  | 'connect' // refused, unreachable, timed out, or no greeting
  | 'greeting' // anything but 220, also 421 at any later command before MAIL
  | 'tls' // STARTTLS not offered or refused, handshake or certificate
  | 'auth-missing' // the host offers none of LOGIN and PLAIN
  | 'auth-refused' // 535 and its kin: the credentials are wrong
  | 'auth-temporary' // 454
  | 'lost' // the connection broke, timed out or spoke nonsense after it was up

export type Attempt =
  /** Nothing was handed over. `reply` is the host's, or one of ours that says what happened. */
  | {
      readonly scope: 'connection'
      readonly fault: ConnectionFault
      readonly host: string
      readonly reply: Reply
    }
  /** MAIL, DATA or the final dot was refused: one reply for every recipient still in question. */
  | {
      readonly scope: 'message'
      readonly host: string
      readonly reply: Reply
      /** RCPT refusals that came before it, by index of the attempt's recipients; they stand on their own. */
      readonly refused: ReadonlyMap<number, Reply>
      /** True where the connection broke after the final dot: the host may have taken the message. */
      readonly uncertain: boolean
    }
  /** The transaction came to its end: one reply per recipient, in order; positive ones are delivered. */
  | { readonly scope: 'recipients'; readonly host: string; readonly replies: readonly Reply[] }
