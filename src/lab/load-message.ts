/**
 * The messages of a load run. Every message is a function of seed, run and sequence number, so that a message that is
 * sent again is the same message. The body is cut from one block of varied lines (empty ones, lone dots, leading
 * dots), which exists twice: as it is, for the hash, and with its dots stuffed, for the wire.
 */
import { createHash, hash } from 'node:crypto'
import { formatLoadMark, loadMarkField } from './message-digest.ts'
import { seededRandom } from './prng.ts'

export type MessageSizes =
  | { readonly kind: 'list'; readonly bytes: readonly number[] }
  | { readonly kind: 'range'; readonly minBytes: number; readonly maxBytes: number }

export interface LoadMessageOptions {
  readonly run: string
  readonly seed: number
  /** Used in turn. `{seq}` becomes the sequence number. */
  readonly from: readonly string[]
  /** Used in turn. `{seq}` becomes the sequence number, `{n}` the number of the recipient, from 1. */
  readonly to: readonly string[]
  readonly recipientsPerMessage: number
  readonly sizes: MessageSizes
}

export interface LoadMessage {
  readonly seq: number
  readonly from: string
  readonly to: readonly string[]
  /** Of the content before dots are stuffed: what a SIZE parameter counts. */
  readonly sizeBytes: number
  /** Of the body, in hex. */
  readonly sha256: string
  /** Content with stuffed dots and the final one, as it goes over the wire. */
  readonly wire: readonly Buffer[]
}

const finalDot = Buffer.from('.\r\n')
const blockBytes = 256 * 1024
/** Up to here a message is one buffer and so one write; a larger one shares the block's memory. */
const largestSingleWrite = 128 * 1024

export class LoadMessages {
  readonly #options: LoadMessageOptions
  readonly #block: Block

  constructor(options: LoadMessageOptions) {
    this.#options = options
    this.#block = makeBlock(seededRandom(options.seed))
  }

  message(seq: number): LoadMessage {
    const { run, seed, from: senders, to: patterns, recipientsPerMessage, sizes } = this.#options
    const random = seededRandom(seed ^ Math.imul(seq, 0x9e3779b1))
    const from = senders[seq % senders.length]!.replaceAll('{seq}', `${seq}`)
    const to = Array.from({ length: recipientsPerMessage }, (_, i) =>
      patterns[(seq + i) % patterns.length]!.replaceAll('{seq}', `${seq}`).replaceAll('{n}', `${i + 1}`),
    )
    const header = (sha256: string) => headerBlock({ run, seq, sha256, from, to: to[0]! })
    const opening = `This is message ${seq} of run ${run}.`
    const fixedBytes = header(noHash).length + opening.length + 2
    const cut = cutBlock(this.#block, {
      fromLine: Math.floor(random() * this.#block.lines),
      bytes: Math.max(0, sizeOf(sizes, random()) - fixedBytes),
    })
    // What no whole line fills makes the first line longer, so that sizes are exact.
    const firstLine = `${opening}${'='.repeat(cut.missingBytes)}\r\n`
    const sha256 = hashOf([Buffer.from(firstLine, 'latin1'), ...cut.plain])
    const head = Buffer.from(header(sha256) + firstLine, 'latin1')
    const sizeBytes = head.length + cut.plain.reduce((sum, part) => sum + part.length, 0)
    const wire = [head, ...cut.wire, finalDot]
    return {
      seq,
      from,
      to,
      sizeBytes,
      sha256,
      wire: sizeBytes > largestSingleWrite ? wire : [Buffer.concat(wire)],
    }
  }
}

const noHash = '0'.repeat(64)

function sizeOf(sizes: MessageSizes, random: number): number {
  return sizes.kind === 'list'
    ? sizes.bytes[Math.floor(random * sizes.bytes.length)]!
    : sizes.minBytes + Math.floor(random * (sizes.maxBytes - sizes.minBytes + 1))
}

function headerBlock(message: {
  run: string
  seq: number
  sha256: string
  from: string
  to: string
}): string {
  const { run, seq, from, to } = message
  return (
    `From: <${from}>\r\nTo: <${to}>\r\nSubject: Load run ${run}, message ${seq}\r\nDate: ${dateField()}\r\n` +
    `Message-ID: <${run}.${seq}@${from.slice(from.lastIndexOf('@') + 1)}>\r\n` +
    `${loadMarkField}: ${formatLoadMark(message)}\r\n` +
    'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n'
  )
}

let dateSecond = 0
let dateText = ''

/** RFC 5322 §3.3. Formatting a date costs more than the rest of the header, so it is done once a second. */
function dateField(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString().replace('GMT', '+0000')
  }
  return dateText
}

/** Made once: memory outside the heap, made for each message, is what the collector has most to do with. */
const scratch = Buffer.allocUnsafeSlow(largestSingleWrite)

function hashOf(parts: readonly Buffer[]): string {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0)
  if (bytes <= largestSingleWrite) {
    let at = 0
    for (const part of parts) at += part.copy(scratch, at)
    return hash('sha256', scratch.subarray(0, bytes), 'hex')
  }
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

/** The same lines twice, and where each begins. */
interface Block {
  readonly lines: number
  readonly plain: Buffer
  readonly wire: Buffer
  /** One longer than `lines`: the last is the end. */
  readonly plainAt: readonly number[]
  readonly wireAt: readonly number[]
}

function makeBlock(random: () => number): Block {
  const plain: string[] = []
  const plainAt = [0]
  const wireAt = [0]
  while (plainAt.at(-1)! < blockBytes) {
    const text = bodyLine(random)
    plain.push(`${text}\r\n`)
    plainAt.push(plainAt.at(-1)! + text.length + 2)
    wireAt.push(wireAt.at(-1)! + text.length + (text.startsWith('.') ? 3 : 2))
  }
  const wire = plain.map((text) => (text.startsWith('.') ? `.${text}` : text))
  return {
    lines: plain.length,
    plain: Buffer.from(plain.join(''), 'latin1'),
    wire: Buffer.from(wire.join(''), 'latin1'),
    plainAt,
    wireAt,
  }
}

const specialLines = ['', '.', '..', '.leading dot', '. ', '...', '--', 'From here']

function bodyLine(random: () => number): string {
  if (random() < 0.15) return specialLines[Math.floor(random() * specialLines.length)]!
  const length = 8 + Math.floor(random() * 68)
  let text = ''
  while (text.length < length) text += `${Math.floor(random() * 36 ** 6).toString(36)} `
  return text.slice(0, length)
}

interface Cut {
  readonly plain: readonly Buffer[]
  readonly wire: readonly Buffer[]
  /** What remains of the size asked for, less than a line. */
  readonly missingBytes: number
}

/** As many whole lines as fit, from a given one on, the block taken as a ring. */
function cutBlock(block: Block, want: { fromLine: number; bytes: number }): Cut {
  const plain: Buffer[] = []
  const wire: Buffer[] = []
  let missingBytes = want.bytes
  for (let from = want.fromLine; ; from = 0) {
    const to = lastLineWithin(block.plainAt, { from, bytes: missingBytes })
    plain.push(block.plain.subarray(block.plainAt[from], block.plainAt[to]))
    wire.push(block.wire.subarray(block.wireAt[from], block.wireAt[to]))
    missingBytes -= block.plainAt[to]! - block.plainAt[from]!
    if (to < block.lines) return { plain, wire, missingBytes }
  }
}

function lastLineWithin(at: readonly number[], want: { from: number; bytes: number }): number {
  const end = at[want.from]! + want.bytes
  let low = want.from
  let high = at.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (at[middle]! <= end) low = middle
    else high = middle - 1
  }
  return low
}
