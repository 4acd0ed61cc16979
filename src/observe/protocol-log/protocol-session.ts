/**
 * One session in a protocol log, told by whoever holds it: each call is a record. It knows the order in which a
 * login goes, and so which lines are commands and which are secrets; nobody else has to.
 */
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../clock.ts'
import { printable } from '../../reply.ts'
import { commandText, decodeLine, mechanismOf, replyText, verbOf } from './dialogue-text.ts'
import { type Direction, formatRecord, isoTime, type ProtocolEvent } from './record.ts'
import { certificateContext, certificateText, negotiatedText } from './tls-text.ts'

export interface ProtocolSessionOptions {
  readonly direction: Direction
  /** As Exchange identifies one: `server\name` of those that receive, the name of those that send. */
  readonly connector: string
  readonly id: string
  readonly remote: string
  readonly clock: Clock
  write(line: string): void
}

export class ProtocolSession {
  readonly #options: ProtocolSessionOptions
  #sequence = 0
  #local = ''
  #state: 'begun' | 'connected' | 'closed' = 'begun'
  /** The command that waits for its reply; of AUTH until the login is over. */
  #verb = ''
  #mechanism = ''
  /** The last reply was a challenge: what comes now is no command. */
  #challenged = false
  #messages = 0
  #secured = false

  constructor(options: ProtocolSessionOptions) {
    this.#options = options
  }

  connected(local: string): void {
    this.#local = local
    this.#state = 'connected'
    this.#write('+')
  }

  /** A command, whoever says it, without its CRLF. */
  command(line: Buffer | string): void {
    if (this.#challenged) return
    const text = typeof line === 'string' ? line : decodeLine(line)
    this.#verb = verbOf(text)
    if (this.#verb === 'AUTH') this.#mechanism = mechanismOf(text) ?? ''
    this.#write(this.#receives ? '<' : '>', commandText(text))
  }

  /** A whole reply, whoever gives it: one line or several. */
  reply(raw: string): void {
    this.#challenged = raw.startsWith('334')
    const concealed = this.#verb === 'AUTH' && !this.#receives
    if (this.#receives) this.#noteBefore(raw)
    if (!this.#challenged) this.#verb = ''
    this.#write(this.#receives ? '>' : '<', replyText(raw, { concealed }))
  }

  /** A client that is told why, and no more. */
  refused(reply: string): void {
    this.reply(reply)
    this.closed('Local')
  }

  /** What was not said on the wire. */
  note(context: string, data = ''): void {
    if (this.#state !== 'closed') this.#write('*', printable(data), printable(context))
  }

  authenticated(user: string): void {
    this.note('authenticated', user)
  }

  /** Once; further calls of the same session do nothing. */
  secured(socket: TLSSocket): void {
    if (this.#secured) return
    this.#secured = true
    const { direction } = this.#options
    const shown = this.#receives ? socket.getX509Certificate() : socket.getPeerX509Certificate()
    const certificate = (): void => {
      if (shown !== undefined) this.note(certificateContext[direction], certificateText(shown))
    }
    if (this.#receives) certificate()
    this.note(negotiatedText(direction, negotiated(socket)))
    if (!this.#receives) certificate()
  }

  /** The end, by whom; the first call counts. */
  closed(by: 'Local' | 'Remote'): void {
    if (this.#state === 'connected') this.#write('-', '', by)
    this.#state = 'closed'
  }

  get #receives(): boolean {
    return this.#options.direction === 'receive'
  }

  /** What Exchange writes before some replies of its own. */
  #noteBefore(reply: string): void {
    if (this.#verb === 'MAIL' && reply.startsWith('2')) {
      const { id, clock } = this.#options
      this.note('receiving message', `${id};${isoTime(clock.now())};${++this.#messages}`)
    }
    if (this.#verb === 'AUTH' && reply.startsWith('535'))
      this.note(`Inbound AUTH ${this.#mechanism} failed because of LogonDenied`)
  }

  #write(event: ProtocolEvent, data = '', context = ''): void {
    const { connector, id, remote, clock, write } = this.#options
    const sequence = this.#sequence++
    const record = { connector, session: id, sequence, local: this.#local, remote, event, data, context }
    write(formatRecord({ at: clock.now(), ...record }))
  }
}

function negotiated(socket: TLSSocket) {
  const key = socket.getEphemeralKeyInfo()
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    keyBits: key !== null && 'size' in key ? key.size : 0,
  }
}
