/**
 * The receiving side of DATA (RFC 5321 §4.5.2): takes the bytes as the network cuts them, removes the stuffed
 * dots and finds the end. Only CRLF `.` CRLF ends a message, and only a dot after CRLF is stuffing: bare CR and
 * bare LF are content, so what the client smuggles stays inside its own message.
 */

export interface DataPart {
  /** Content of the message; it shares memory with the chunk that was read. */
  readonly content: Buffer
  /** What follows the final dot: the next commands. Null while the message goes on. */
  readonly rest: Buffer | null
}

const carriageReturn = 0x0d
const lineFeed = 0x0a
const dot = 0x2e
const lineWithDot = Buffer.from('\r\n.')
const nothing = Buffer.alloc(0)

export class DataReader {
  /** The end of the last chunk, where it may be the beginning of a stuffed or final dot. */
  #held = Buffer.from('\r\n')
  /** Bytes of `#held` that are not content: a message begins as if CRLF stood before it. */
  #virtual = 2

  /** Takes the next bytes. The chunk is overwritten: stuffed dots are removed in place. */
  read(chunk: Buffer): DataPart {
    // Most messages do not begin with a dot: then the CRLF before them decides nothing, and nothing is copied.
    if (this.#virtual === this.#held.length && chunk.length > 0 && chunk[0] !== dot) {
      this.#held = nothing
      this.#virtual = 0
    }
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const start = this.#virtual
    let from = start
    let to = start
    for (let search = 0; ; search = from) {
      const at = data.indexOf(lineWithDot, search)
      if (at < 0) return this.#hold(data, { at: data.length - openEnd(data), from, start, to })
      const next = data[at + 3]
      const afterNext = data[at + 4]
      if (next === undefined || (next === carriageReturn && afterNext === undefined))
        return this.#hold(data, { at, from, start, to })
      to = move(data, { from, end: at + 2, to })
      if (next === carriageReturn && afterNext === lineFeed)
        return { content: data.subarray(start, to), rest: data.subarray(at + 5) }
      from = at + 3
    }
  }

  /** Gives out what is certain, keeps what the next chunk must decide. */
  #hold(data: Buffer, span: { at: number; from: number; start: number; to: number }): DataPart {
    const to = move(data, { from: span.from, end: span.at, to: span.to })
    this.#held = span.at === data.length ? nothing : Buffer.from(data.subarray(span.at))
    this.#virtual = span.at < this.#virtual ? this.#virtual : 0
    return { content: data.subarray(span.start, to), rest: null }
  }
}

/** How many bytes at the end may be the beginning of CRLF: they wait for the next chunk. */
function openEnd(data: Buffer): number {
  const last = data[data.length - 1]
  if (last === carriageReturn) return 1
  return last === lineFeed && data[data.length - 2] === carriageReturn ? 2 : 0
}

/** Moves content up over the dots removed before it and says where it ends now. */
function move(data: Buffer, span: { from: number; end: number; to: number }): number {
  if (span.end <= span.from) return span.to
  if (span.from !== span.to) data.copy(data, span.to, span.from, span.end)
  return span.to + span.end - span.from
}
