/** An attachment while it is being looked at, with what was found inside it. */
import { extensionOf, seenName } from './attachment-name.ts'
import type { Attachment, AttachmentType } from './content.ts'
import { isScriptName } from './file-type.ts'

export class FoundAttachment {
  readonly name: string | null
  readonly extension: string | null
  readonly contentType: string
  sizeBytes = 0
  notInspected: Attachment['notInspected'] = null
  readonly types = new Set<AttachmentType>()
  readonly inside: FoundAttachment[] = []

  /** `name` as written, path included. */
  constructor(name: string | null, contentType = 'application/octet-stream') {
    this.name = name === null ? null : seenName(name)
    this.extension = this.name === null ? null : extensionOf(this.name)
    this.contentType = contentType
    if (isScriptName(this.extension)) this.types.add('executable')
  }
}

/** Each before what was found in it. */
export function listAttachments(
  found: readonly FoundAttachment[],
  within: readonly string[] = [],
): Attachment[] {
  const list: Attachment[] = []
  for (const { inside, types, ...facts } of found) {
    list.push({ ...facts, types: [...types], within })
    if (inside.length > 0)
      for (const each of listAttachments(inside, [...within, facts.name ?? facts.contentType]))
        list.push(each)
  }
  return list
}
