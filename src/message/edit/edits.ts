/**
 * Does to a message what policy decided. The header's edits come first, in their order, then the disclaimers: where
 * one makes the message an attachment of a new one, what a rule removed is removed from both.
 *
 * Bytes that no edit concerns stay as they are. What is written is ASCII wherever the message can hold that, so an
 * edit never makes a message need 8BITMIME that did not before. It may end such a need, though, so whoever
 * has to know looks at the bytes it writes.
 */
import { assertNever } from '../../assert-never.ts'
import type { Reply } from '../../reply.ts'
import type { Draft } from '../draft.ts'
import { addMailboxes, rewriteFrom } from './address-fields.ts'
import { insertDisclaimer } from './disclaimer.ts'
import type { Edit } from './edit.ts'
import { addField, formatField, removeFields, setField, stripReceived } from './header-edit.ts'
import { prefixSubject } from './subject.ts'

/** Refused only by a disclaimer that can be inserted nowhere, and demands so. Reads the body only for disclaimers. */
export async function applyEdits(
  draft: Draft,
  edits: readonly Edit[],
): Promise<Draft | { readonly refused: Reply }> {
  let edited: Draft = { header: edits.reduce(editHeader, draft.header), body: draft.body }
  for (const edit of edits) {
    if (edit.kind !== 'disclaimer') continue
    const inserted = await insertDisclaimer(edited, edit)
    if ('refused' in inserted) return inserted
    edited = inserted
  }
  return edited
}

function editHeader(header: Buffer, edit: Edit): Buffer {
  switch (edit.kind) {
    case 'setHeader':
      return setField(header, formatField(edit.name, edit.value))
    case 'addHeader':
      return addField(header, formatField(edit.name, edit.value))
    case 'removeHeader':
      return removeFields(header, edit.name)
    case 'prefixSubject':
      return prefixSubject(header, edit.text)
    case 'rewriteFrom':
      return rewriteFrom(header, edit.address)
    case 'addMailboxes':
      return addMailboxes(header, edit)
    case 'stripReceived':
      return stripReceived(header)
    case 'disclaimer':
      return header
    default:
      return assertNever(edit)
  }
}
