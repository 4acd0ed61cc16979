/**
 * The mark of mail that leaves by its sender's binding: `x-mclm-sbr-processed: true`, as OVHcloud's platform writes it
 * (SBR: sender-based routing) and its guide looks for it at the recipient. It stands above our trace field, so that no
 * signature covers it, and is added on the way out, because recipients of one message may leave by a binding and by
 * an address space.
 */
const name = 'x-mclm-sbr-processed'

export const boundMark: Buffer = Buffer.from(`${name}: true\r\n`)

const field = new RegExp(`^${name}[ \\t]*:`, 'im')

/** A message that another hop has marked is not marked twice. */
export function isMarked(header: Buffer): boolean {
  return field.test(header.toString('latin1'))
}

/** Mark and beginning leave in one piece: a small one alone would wait for the host's delayed ACK. */
export function withBoundMark(body: Buffer | AsyncIterable<Buffer>): Buffer | AsyncIterable<Buffer> {
  return Buffer.isBuffer(body) ? Buffer.concat([boundMark, body]) : marked(body)
}

async function* marked(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let first = true
  for await (const chunk of body) {
    yield first ? Buffer.concat([boundMark, chunk]) : chunk
    first = false
  }
}
