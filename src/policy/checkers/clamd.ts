/**
 * clamd, ClamAV's daemon, asked by INSTREAM (clamd(8)): the message goes to it in chunks as it is read, each with its
 * length before it, and an empty one at the end. Infected mail is refused, held or dropped, as configured.
 */
import type { Socket } from 'node:net'
import type { CheckerConfig } from '../../config/policy-schema.ts'
import { type Draft, readDraft } from '../../message/draft.ts'
import { permanent } from '../../reply.ts'
import { type CheckedMessage, type Checker, type CheckerVerdict, NotChecked, unchanged } from './checker.ts'
import { oneLine } from './outside-reply.ts'
import { connectTo, parseSocketAddress, type SocketAddress } from './socket-address.ts'
import { readAnswer } from './socket-answer.ts'
import { untilWritable } from './until-writable.ts'

type ClamdConfig = Extract<CheckerConfig, { kind: 'clamd' }>

export class Clamd implements Checker {
  readonly name: string
  readonly #address: SocketAddress
  readonly #infected: ClamdConfig['infected']

  constructor({ name, address, infected }: Pick<ClamdConfig, 'name' | 'address' | 'infected'>) {
    this.name = name
    this.#address = parseSocketAddress(address)
    this.#infected = infected
  }

  async check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    const socket = await connectTo(this.#address, signal)
    const scan = await scanned(socket, { draft: message.draft, signal })
    if (scan.kind === 'clean') return unchanged(message)
    if (scan.kind === 'tooLarge') throw new NotChecked('the message is larger than its StreamMaxLength')
    if (scan.kind === 'error') throw new Error(`answered ${JSON.stringify(scan.answer)}`)
    return this.#verdict(message, scan.signature)
  }

  /** A connection carries one message: clamd closes it. */
  async close(): Promise<void> {}

  #verdict(message: CheckedMessage, signature: string): CheckerVerdict {
    const note = `found ${signature}`
    if (this.#infected === 'drop') return { kind: 'drop', note }
    if (this.#infected === 'hold') return { ...unchanged(message, note), hold: `${this.name} ${note}` }
    return { kind: 'refuse', reply: permanent('7.1', `The message contains ${signature}`, 554), note }
  }
}

export type Scan =
  | { readonly kind: 'clean' }
  | { readonly kind: 'infected'; readonly signature: string }
  | { readonly kind: 'tooLarge' }
  | { readonly kind: 'error'; readonly answer: string }

/** What clamd says of a stream. */
export function parseScan(answer: string): Scan {
  if (answer === 'stream: OK') return { kind: 'clean' }
  const found = /^stream: (.+) FOUND$/.exec(answer)
  if (found) return { kind: 'infected', signature: oneLine(found[1]!).slice(0, 200) }
  if (answer.startsWith('INSTREAM size limit exceeded')) return { kind: 'tooLarge' }
  return { kind: 'error', answer: oneLine(answer) }
}

/**
 * The answer may come while we still write: it ends the writing. Where the connection breaks under our writing before the
 * answer is read, the answer is lost with it, which concerns refusals to read on and never a verdict.
 */
async function scanned(
  socket: Socket,
  { draft, signal }: { draft: Draft; signal: AbortSignal },
): Promise<Scan> {
  const answer = readAnswer(socket, { terminator: '\0', limitBytes: 4096, signal }).finally(() => {
    // Ends the writing too. What breaks from here on has nothing to say any more.
    socket.on('error', () => undefined).destroy()
  })
  const [answered, sent] = await Promise.allSettled([answer, send(socket, draft)])
  // The message could not be read: that the answer did not come follows from it.
  if (sent.status === 'rejected') throw sent.reason
  if (answered.status === 'rejected') throw answered.reason
  const scan = parseScan(answered.value)
  if (scan.kind === 'clean' && !sent.value)
    throw new Error('called the message clean before it had all of it')
  return scan
}

/** Whether all of it was sent. */
async function send(socket: Socket, draft: Draft): Promise<boolean> {
  try {
    socket.write('zINSTREAM\0')
    for await (const chunk of readDraft(draft)) {
      // An empty one would be the end.
      if (chunk.length > 0 && !writeChunk(socket, chunk)) await untilWritable(socket)
      if (socket.destroyed) return false
    }
    socket.write(Buffer.alloc(4))
    return !socket.destroyed
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function writeChunk(socket: Socket, chunk: Buffer): boolean {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(chunk.length)
  socket.cork()
  socket.write(length)
  const goOn = socket.write(chunk)
  socket.uncork()
  return goOn
}
