/** Messages for tests, put together line by line, so that they can be wrong. */
import type { Draft } from '../../src/message/draft.ts'

export const lines = (...parts: readonly string[]): string => parts.map((part) => `${part}\r\n`).join('')

/** `text` holds octets: latin1. The body comes in pieces of this many octets. */
export function draftOf(text: string | Buffer, pieceBytes = 64 * 1024): Draft {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
  const emptyLine = bytes.indexOf('\r\n\r\n')
  const headerBytes = emptyLine === -1 ? bytes.length : emptyLine + 4
  return {
    header: bytes.subarray(0, headerBytes),
    body: {
      async *read() {
        for (let at = headerBytes; at < bytes.length; at += pieceBytes)
          yield bytes.subarray(at, at + pieceBytes)
      },
    },
  }
}

export function base64(bytes: Buffer | string): string {
  return Buffer.from(bytes)
    .toString('base64')
    .replace(/.{76}(?=.)/g, '$&\r\n')
}

/** A part with an attachment in base64. */
export function attached(name: string, bytes: Buffer | string, type = 'application/octet-stream'): string {
  return lines(
    `Content-Type: ${type}`,
    `Content-Disposition: attachment; filename="${name}"`,
    'Content-Transfer-Encoding: base64',
    '',
    base64(bytes),
  ).slice(0, -2)
}

export const plainPart = (text: string): string => lines('Content-Type: text/plain', '', text).slice(0, -2)

/** The fields and the body of a multipart of these parts. */
export function multipart(parts: readonly string[], { type = 'mixed', boundary = 'b' } = {}): string {
  return lines(
    `Content-Type: multipart/${type}; boundary="${boundary}"`,
    '',
    ...parts.flatMap((part) => [`--${boundary}`, part]),
    `--${boundary}--`,
  )
}

/** A whole message. */
export const mail = (content: string): string => `From: a@example.com\r\nMIME-Version: 1.0\r\n${content}`
