/**
 * A disclaimer, as Exchange adds it: text into the plain parts that are the body, HTML into its HTML parts, again
 * into each message of a conversation. Signed and encrypted mail is left alone. Where it cannot be inserted and read,
 * the fallback says what happens.
 *
 * The body is read twice: first as far as the parts that are the body, to see where they lie and whether they can
 * take it, later, as it streams out, to put it in. Of a part that takes it the content stays octet for octet; its transfer
 * encoding and character set change only where it could not hold the disclaimer. All other parts keep every byte.
 */
import { permanent, type Reply } from '../../reply.ts'
import type { Draft } from '../draft.ts'
import { fieldsNamed, parseHeader } from '../header.ts'
import { type BodyChange, changedBody, replaceBy } from './body-change.ts'
import { findBodyText } from './body-text.ts'
import { DisclaimerPart } from './disclaimer-part.ts'
import { plainText } from './disclaimer-text.ts'
import type { Disclaimer } from './edit.ts'
import { addField, formatField } from './header-edit.ts'
import { endedHeader, wrapMessage } from './message-wrap.ts'

export async function insertDisclaimer(
  original: Draft,
  disclaimer: Disclaimer,
): Promise<Draft | { readonly refused: Reply }> {
  const draft = splitAtEmptyLine(original)
  const parts: DisclaimerPart[] = []
  const body = await findBodyText(draft, (text) => {
    const part = new DisclaimerPart(text, disclaimer)
    parts.push(part)
    return part
  })
  if (body === 'sealed' || parts.some((part) => part.isArmored)) return original
  const takeIt = body === 'found' && parts.every((part) => part.canTakeIt)
  return takeIt ? insertInto(draft, parts) : fallBack(original, disclaimer)
}

function insertInto(draft: Draft, parts: readonly DisclaimerPart[]): Draft {
  const bodyAt = draft.header.length
  let { header } = draft
  const changes: BodyChange[] = []
  for (const part of parts) {
    const old = part.header
    if (part.isRoot) header = withMimeVersion(part.changeHeader(endedHeader(header)), header)
    else {
      const changed = part.changeHeader(old.bytes)
      const from = old.at - bodyAt
      if (changed !== old.bytes)
        changes.push({ from, to: from + old.bytes.length, rewriter: replaceBy(changed) })
    }
    const { from, to } = part.content
    changes.push({ from: from - bodyAt, to: to - bodyAt, rewriter: () => part.rewriter() })
  }
  return { header, body: changedBody(draft.body, changes) }
}

async function fallBack(draft: Draft, disclaimer: Disclaimer): Promise<Draft | { readonly refused: Reply }> {
  switch (disclaimer.fallback) {
    case 'wrap':
      return wrapMessage(draft, plainText(disclaimer.text, { flowed: false }))
    case 'ignore':
      return draft
    case 'reject':
      return {
        refused: permanent('7.1', 'The disclaimer that policy demands cannot be added to this message'),
      }
  }
}

/** What says how content is encoded means nothing without it (RFC 2045 §4). */
function withMimeVersion(header: Buffer, old: Buffer): Buffer {
  const isNew = header !== old && fieldsNamed(parseHeader(header), 'mime-version').length === 0
  const isMime = isNew && parseHeader(header).fields.some((field) => field.name?.startsWith('content-'))
  return isMime ? addField(header, formatField('MIME-Version', '1.0')) : header
}

/** A header that another station read as ending with CRLF CRLF may hold an earlier end, with bare LF. */
function splitAtEmptyLine(draft: Draft): Draft {
  const { sizeBytes } = parseHeader(draft.header)
  const end = sizeBytes + (draft.header[sizeBytes] === 0x0d ? 2 : 1)
  if (end >= draft.header.length) return draft
  const first = draft.header.subarray(end)
  const { body } = draft
  return {
    header: draft.header.subarray(0, end),
    body: {
      async *read() {
        yield first
        yield* body.read()
      },
    },
  }
}
