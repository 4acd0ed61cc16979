/**
 * The milter protocol, version 6, as bytes: what Sendmail and Postfix say to a mail filter, and what it answers. A
 * packet is a length of four octets, a command of one, and data; strings in it end with NUL. Pure. Whatever a filter
 * sends is either one of the replies below or a `MilterError`: nothing is guessed.
 */
import type { Reply } from '../../reply.ts'
import { parseRefusal } from './outside-reply.ts'

/** The filter does not keep to the protocol, or asks for what cannot be done. */
export class MilterError extends Error {
  override name = 'MilterError'
}

/** libmilter closes the connection on commands with more data than this, and takes body chunks of this size. */
export const longestData = 65_535
/** A line of RFC 5322 holds no longer name. */
const longestName = 998
/** Beyond what any filter can negotiate: memory that a reply may take. A body comes in pieces, whatever its length. */
const longestReply = 1024 * 1024

/**
 * The steps of a message in their order: the command; the flag by which a filter declines it; the flag by which it
 * promises no reply; the list of macros it belongs to; the version that brought it.
 */
const steps = {
  connect: { command: 'C', declined: 1 << 0, silent: 1 << 12, macros: 0, since: 2 },
  helo: { command: 'H', declined: 1 << 1, silent: 1 << 13, macros: 1, since: 2 },
  mail: { command: 'M', declined: 1 << 2, silent: 1 << 14, macros: 2, since: 2 },
  rcpt: { command: 'R', declined: 1 << 3, silent: 1 << 15, macros: 3, since: 2 },
  data: { command: 'T', declined: 1 << 9, silent: 1 << 16, macros: 4, since: 4 },
  header: { command: 'L', declined: 1 << 5, silent: 1 << 7, macros: null, since: 2 },
  endOfHeader: { command: 'N', declined: 1 << 6, silent: 1 << 18, macros: 6, since: 2 },
  body: { command: 'B', declined: 1 << 4, silent: 1 << 19, macros: null, since: 2 },
  endOfMessage: { command: 'E', declined: 0, silent: 0, macros: 5, since: 2 },
} as const
export type Step = keyof typeof steps
const allSteps = Object.keys(steps) as Step[]

const version = 6
/** All that version 6 knows: headers, body, recipients, quarantine, sender, recipients with parameters, macro lists. */
const actions = 0x1ff
const skip = 1 << 10
const leadingSpace = 1 << 20
/** Unknown commands: declined and unanswered is what they are anyway. */
const unknownCommand = (1 << 8) | (1 << 17)
const offeredFlags = allSteps.reduce(
  (flags, step) => flags | steps[step].declined | steps[step].silent,
  skip | leadingSpace | unknownCommand,
)

export interface Packet {
  readonly command: string
  readonly data: Buffer
}

/** What the two agreed on. */
export interface Negotiated {
  readonly version: number
  /** Steps that are sent. */
  readonly sent: ReadonlySet<Step>
  /** Steps that are answered. */
  readonly answered: ReadonlySet<Step>
  /** Values of header fields have all that follows the colon; else the first space belongs to neither side. */
  readonly leadingSpace: boolean
  /** The macros that the filter asked for. */
  readonly macros: ReadonlyMap<Step, readonly string[]>
}

interface GivenField {
  readonly name: string
  readonly value: Buffer
}

export type Change =
  | ({ readonly kind: 'addHeader' } & GivenField)
  | ({ readonly kind: 'insertHeader' | 'changeHeader'; readonly index: number } & GivenField)
  /** Parameters of MAIL and RCPT are read over, as by Postfix: what they would say is not the filter's to say. */
  | { readonly kind: 'changeSender' | 'addRecipient' | 'deleteRecipient'; readonly address: string }
  | { readonly kind: 'replaceBody'; readonly piece: Buffer }
  | { readonly kind: 'quarantine'; readonly reason: string }

export type MilterReply =
  | { readonly kind: 'continue' | 'skip' | 'progress' }
  | { readonly kind: 'accept' | 'discard' }
  | { readonly kind: 'reject' | 'tempfail' }
  | { readonly kind: 'replyCode'; readonly reply: Reply }
  | Change

/** Puts packets together again, however the network cut them. The body of `REPLBODY` is handed on as it comes. */
export class PacketDecoder {
  readonly #prefix = Buffer.alloc(5)
  #prefixLength = 0
  #data = nothing
  #remaining = 0

  decode(chunk: Buffer): Packet[] {
    const packets: Packet[] = []
    for (let at = 0; at < chunk.length; ) {
      const read = this.#prefixLength < 5 ? this.#readPrefix(chunk, at) : this.#readData(chunk, at)
      at += read.length
      if (read.packet !== null) packets.push(read.packet)
    }
    return packets
  }

  get #command(): string {
    return String.fromCharCode(this.#prefix[4]!)
  }

  #readPrefix(chunk: Buffer, at: number): Read {
    const length = chunk.copy(this.#prefix, this.#prefixLength, at, at + 5 - this.#prefixLength)
    this.#prefixLength += length
    if (this.#prefixLength < 5) return { length, packet: null }
    this.#remaining = this.#prefix.readUInt32BE(0) - 1
    if (this.#remaining < 0) throw new MilterError('sent a packet without a command')
    const inPieces = this.#command === replyCommands.replaceBody
    if (this.#remaining > longestReply && !inPieces)
      throw new MilterError(`sent a packet of ${this.#remaining} bytes`)
    this.#data = inPieces ? nothing : Buffer.allocUnsafe(this.#remaining)
    return { length, packet: this.#remaining === 0 ? this.#packet(nothing) : null }
  }

  #readData(chunk: Buffer, at: number): Read {
    const piece = chunk.subarray(at, at + this.#remaining)
    const { length } = piece
    if (this.#command !== replyCommands.replaceBody)
      piece.copy(this.#data, this.#data.length - this.#remaining)
    this.#remaining -= length
    if (this.#command === replyCommands.replaceBody) return { length, packet: this.#packet(piece) }
    return { length, packet: this.#remaining === 0 ? this.#packet(this.#data) : null }
  }

  #packet(data: Buffer): Packet {
    if (this.#remaining === 0) this.#prefixLength = 0
    return { command: this.#command, data }
  }
}

interface Read {
  readonly length: number
  readonly packet: Packet | null
}

const nothing = Buffer.alloc(0)

// What we say

function packet(command: string, data: Buffer = nothing): Buffer {
  const bytes = Buffer.allocUnsafe(5 + data.length)
  bytes.writeUInt32BE(data.length + 1, 0)
  bytes.write(command, 4, 'latin1')
  data.copy(bytes, 5)
  return bytes
}

export const abort = packet('A')
export const quit = packet('Q')
/** Another client follows on the same connection. */
export const quitNewClient = packet('K')

export function offer(): Buffer {
  const data = Buffer.alloc(12)
  data.writeUInt32BE(version, 0)
  data.writeUInt32BE(actions, 4)
  data.writeUInt32BE(offeredFlags, 8)
  return packet('O', data)
}

/** Strings of a step, each with its NUL. Throws where one holds a NUL itself: it would be read as two. */
export function command(step: Step, ...words: readonly string[]): Buffer {
  return packet(steps[step].command, strings(words))
}

/** Null where there is none to tell. */
export function macros(step: Step, values: ReadonlyMap<string, string>): Buffer | null {
  if (steps[step].macros === null || values.size === 0) return null
  const pairs = [...values].flatMap(([name, value]) => [name.length === 1 ? name : `{${name}}`, value])
  return packet('D', Buffer.concat([Buffer.from(steps[step].command), strings(pairs)]))
}

/** Where the client's port is not known it is 0; where its address is not, the family says so. */
export function connect(name: string, client: { family: 4 | 6; address: string } | null): Buffer {
  if (client === null) return packet('C', Buffer.concat([strings([name]), Buffer.from('U')]))
  return packet(
    'C',
    Buffer.concat([
      strings([name]),
      Buffer.from(String(client.family)),
      Buffer.alloc(2),
      strings([client.address]),
    ]),
  )
}

/** Cut where it is longer than a filter takes: Postfix and Sendmail cut long fields too. */
export function header(name: string, value: Buffer): Buffer {
  const label = strings([name.slice(0, longestName)])
  const cut = value.subarray(0, longestData - label.length - 1)
  return packet('L', Buffer.concat([label, cut, Buffer.alloc(1)]))
}

/** At most `longestData` bytes, and at least one. */
export function bodyChunk(bytes: Buffer): Buffer {
  return packet('B', bytes)
}

function strings(words: readonly string[]): Buffer {
  if (words.some((word) => word.includes('\0'))) throw new Error('A string for a filter holds a NUL')
  return Buffer.from(words.map((word) => `${word}\0`).join(''))
}

// What the filter says

export function parseNegotiation({ command, data }: Packet): Negotiated {
  if (command !== 'O' || data.length < 12) throw new MilterError('did not negotiate')
  const theirs = data.readUInt32BE(0)
  const wanted = data.readUInt32BE(4)
  const flags = data.readUInt32BE(8)
  if (theirs < 2 || theirs > version) throw new MilterError(`speaks version ${theirs} of the protocol`)
  if ((wanted & ~actions) !== 0) throw new MilterError(`wants to do what is unknown: ${wanted.toString(16)}`)
  const sent = allSteps.filter((step) => theirs >= steps[step].since && (flags & steps[step].declined) === 0)
  return {
    version: theirs,
    sent: new Set(sent),
    answered: new Set(sent.filter((step) => (flags & steps[step].silent) === 0)),
    leadingSpace: (flags & leadingSpace) !== 0,
    macros: parseMacroLists(data.subarray(12)),
  }
}

/** Lists for steps that we do not know are read over. Names come with braces and without. */
function parseMacroLists(data: Buffer): Map<Step, readonly string[]> {
  const lists = new Map<Step, readonly string[]>()
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf(0, at + 4)
    if (end === -1) throw new MilterError('asks for macros in an unknown form')
    const number = data.readUInt32BE(at)
    const names = data.toString('latin1', at + 4, end).match(/[^\s,{}]+/g) ?? []
    const step = allSteps.find((each) => steps[each].macros === number)
    if (step !== undefined) lists.set(step, names)
    at = end + 1
  }
  return lists
}

const replyCommands = {
  continue: 'c',
  skip: 's',
  progress: 'p',
  accept: 'a',
  discard: 'd',
  reject: 'r',
  tempfail: 't',
  connectionFail: 'f',
  shutdown: '4',
  replyCode: 'y',
  addHeader: 'h',
  insertHeader: 'i',
  changeHeader: 'm',
  changeSender: 'e',
  addRecipient: '+',
  addRecipientWithParameters: '2',
  deleteRecipient: '-',
  replaceBody: 'b',
  quarantine: 'q',
} as const

export function parseMilterReply(packet: Packet): MilterReply {
  const { command, data } = packet
  switch (command) {
    case replyCommands.continue:
      return bare(packet, 'continue')
    case replyCommands.skip:
      return bare(packet, 'skip')
    case replyCommands.progress:
      return bare(packet, 'progress')
    case replyCommands.accept:
      return bare(packet, 'accept')
    case replyCommands.discard:
      return bare(packet, 'discard')
    case replyCommands.reject:
      return bare(packet, 'reject')
    // The client's session is not the filter's to end: it may come again.
    case replyCommands.tempfail:
    case replyCommands.connectionFail:
    case replyCommands.shutdown:
      return bare(packet, 'tempfail')
    case replyCommands.replyCode:
      return { kind: 'replyCode', reply: parseReplyCode(data) }
    case replyCommands.replaceBody:
      return { kind: 'replaceBody', piece: data }
    case replyCommands.quarantine:
      return { kind: 'quarantine', reason: untilNul(data).toString('utf8') }
    default:
      return parseChange(packet)
  }
}

function bare<Kind extends MilterReply['kind']>({ command, data }: Packet, kind: Kind): { kind: Kind } {
  if (data.length > 0) throw new MilterError(`sent data with reply "${command}"`)
  return { kind }
}

function parseChange({ command, data }: Packet): Change {
  switch (command) {
    case replyCommands.addHeader:
      return { kind: 'addHeader', ...readField(data) }
    case replyCommands.insertHeader:
      return { kind: 'insertHeader', ...readIndexedField(data) }
    case replyCommands.changeHeader:
      return { kind: 'changeHeader', ...readIndexedField(data) }
    case replyCommands.changeSender:
      return { kind: 'changeSender', address: readAddress(data, 2) }
    case replyCommands.addRecipient:
      return { kind: 'addRecipient', address: readAddress(data, 1) }
    case replyCommands.addRecipientWithParameters:
      return { kind: 'addRecipient', address: readAddress(data, 2) }
    case replyCommands.deleteRecipient:
      return { kind: 'deleteRecipient', address: readAddress(data, 1) }
    default:
      throw new MilterError(`sent an unknown reply ${JSON.stringify(command)}`)
  }
}

/** Strings that end with NUL, at least one. */
function readStrings(data: Buffer): Buffer[] {
  if (data.at(-1) !== 0) throw new MilterError('sent a string without an end')
  const found: Buffer[] = []
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf(0, at)
    found.push(data.subarray(at, end))
    at = end + 1
  }
  return found
}

function readField(data: Buffer): GivenField {
  const [name, value, ...more] = readStrings(data)
  if (name === undefined || value === undefined || more.length > 0)
    throw new MilterError('sent a header field in an unknown form')
  return { name: name.toString('latin1'), value }
}

function readIndexedField(data: Buffer): GivenField & { index: number } {
  if (data.length < 4) throw new MilterError('sent a header field without an index')
  return { index: data.readUInt32BE(0), ...readField(data.subarray(4)) }
}

/** The address, before it the parameters that may follow. */
function readAddress(data: Buffer, mostStrings: number): string {
  const [address, ...more] = readStrings(data)
  if (address === undefined || more.length >= mostStrings)
    throw new MilterError('sent an address in an unknown form')
  return address.toString('utf8')
}

const untilNul = (data: Buffer): Buffer => (data.at(-1) === 0 ? data.subarray(0, -1) : data)

/** Lines of one code, RFC 5321 §4.2.1. Sendmail reads the text as a format, so filters write `%%` for a percent sign. */
function parseReplyCode(data: Buffer): Reply {
  const text = untilNul(data).toString('utf8').replace(/%(%?)/g, '$1')
  const lines = text.split('\r\n')
  const code = text.slice(0, 3)
  const wellFormed = lines.every((line, index) => {
    const separator = index < lines.length - 1 ? '-' : ' '
    return line.startsWith(`${code}${separator}`) && !/[\0\r\n]/.test(line)
  })
  const reply = /^[45]\d\d$/.test(code) && wellFormed ? parseRefusal(text) : null
  if (reply === null)
    throw new MilterError(`sent a reply in an unknown form: ${JSON.stringify(text.slice(0, 100))}`)
  return reply
}
