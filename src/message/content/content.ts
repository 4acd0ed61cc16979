/**
 * What a message holds beside its header: text, attachments, and what is inside those. Made by `mime.ts`, which
 * reads the MIME structure once; policy's conditions ask it.
 */

export type MessageType =
  | 'autoReply' // Auto-Submitted: auto-replied (RFC 3834), or what older systems write
  | 'autoForward'
  | 'calendar'
  | 'signed'
  | 'encrypted'
  | 'readReceipt' // RFC 8098
  | 'tnef' // winmail.dat

/** By content, whatever name and declared type say; scripts without a mark of their own by their names: `.js`. */
export type AttachmentType = 'executable' | 'archive' | 'encryptedArchive' | 'office' | 'officeWithMacros'

export interface Attachment {
  /** Decoded; null where it has none. As a person would see it: without a path, trailing dots and blanks. */
  readonly name: string | null
  /** Of the name, in lower case, without the dot; null where there is none. */
  readonly extension: string | null
  /** As declared, in lower case: `application/pdf`. */
  readonly contentType: string
  /** Decoded. */
  readonly sizeBytes: number
  readonly types: readonly AttachmentType[]
  /** The archives and messages it was found in, outermost first; empty for the message's own attachments. */
  readonly within: readonly string[]
  /** Null where all of it was seen; else why not: encrypted, damaged, or a limit of inspection. */
  readonly notInspected:
    | 'encrypted'
    | 'damaged'
    | 'tooLarge'
    | 'tooDeep'
    | 'tooMany'
    | 'unsupported' // a format that is not opened: RAR, 7z, TNEF …
    | null
}

export interface MessageContent {
  /**
   * What the message's own parts show as text, plain and HTML without its tags, in their order; capped. What is sent
   * as an attachment, and what messages attached say, is not in it.
   */
  readonly text: string
  /** The cap was reached. */
  readonly textIncomplete: boolean
  /** Of text parts as declared, in lower case. */
  readonly characterSets: readonly string[]
  /** Those in archives and attached messages stand after the one they were found in. */
  readonly attachments: readonly Attachment[]
  readonly types: readonly MessageType[]
  /**
   * Why programs may read another structure than we did: fields twice that may stand once, a part behind the
   * closing boundary, nesting or number of parts beyond the limits … Empty where MIME is as it should be.
   */
  readonly ambiguities: readonly string[]
}
