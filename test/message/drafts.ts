/** Messages for tests as drafts, cut in any way, and read again. */
import { type BodySource, type Draft, readDraft, splitDraft } from '../../src/message/draft.ts'

/** Lines joined by CRLF, as octets of Latin-1. */
export function message(...lines: readonly string[]): Buffer {
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

/** `chunkBytes` cuts the body. */
export function draftOf(bytes: Buffer, chunkBytes = 64 * 1024): Draft {
  const { header } = splitDraft(bytes)
  return { header, body: bodyOf(bytes.subarray(header.length), chunkBytes) }
}

export function bodyOf(bytes: Buffer, chunkBytes: number): BodySource {
  return {
    async *read() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
    },
  }
}

export async function bytesOf(draft: Draft): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of readDraft(draft)) chunks.push(chunk)
  return Buffer.concat(chunks)
}
