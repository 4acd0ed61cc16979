/**
 * A message on its way through policy: its header in memory (it is bounded by `maxHeaderSize`), its body to be
 * read as often as somebody needs it. Whoever changes something makes a new draft; bytes that nobody changes stay
 * as they came.
 */

/** The bytes after the header's empty line, from the beginning each time. */
export interface BodySource {
  read(): AsyncIterable<Buffer>
}

export interface Draft {
  /** All header fields as they came, and the empty line; without our own trace field, which nothing changes. */
  readonly header: Buffer
  readonly body: BodySource
}

/** The whole message, as it would be written. */
export async function* readDraft(draft: Draft): AsyncIterable<Buffer> {
  yield draft.header
  yield* draft.body.read()
}

/** A draft of a message that is in memory whole. */
export function splitDraft(message: Buffer): Draft {
  const end = headerEnd(message)
  const body = message.subarray(end)
  return {
    header: message.subarray(0, end),
    body: {
      async *read() {
        if (body.length > 0) yield body
      },
    },
  }
}

/** Where the body begins: behind the first empty line; a message without one is all header. */
function headerEnd(message: Buffer): number {
  if (message.subarray(0, 2).equals(emptyLine)) return 2
  const at = message.indexOf('\r\n\r\n')
  return at === -1 ? message.length : at + 4
}

const emptyLine = Buffer.from('\r\n')
