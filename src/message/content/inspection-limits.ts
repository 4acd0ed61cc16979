/** How far the inspection of one message goes. What lies beyond is named: `notInspected`, or an ambiguity. */
export interface InspectionLimits {
  /** Parts of the message and of all messages in it. */
  readonly parts: number
  /** How deep parts may be nested; a message in a message counts as one level. Postfix: mime_nesting_limit, 100. */
  readonly nesting: number
  /** How many archives may lie in each other. */
  readonly archiveDepth: number
  /** Of all archives together. */
  readonly archiveMembers: number
  /** Of all archives together, unpacked. */
  readonly inflatedBytes: number
  /** Unpacked to packed, for what is larger than 1 MB unpacked. */
  readonly inflationRatio: number
  /** A larger attachment, or member of an archive, is not opened. */
  readonly openedBytes: number
  /** Characters of text in all. */
  readonly text: number
  /** Octets of one text part that are read; HTML has more tags than text. */
  readonly textPartBytes: number
}

const MB = 1024 * 1024

export const inspectionLimits: InspectionLimits = {
  parts: 500,
  nesting: 50,
  archiveDepth: 4,
  archiveMembers: 10_000,
  inflatedBytes: 100 * MB,
  inflationRatio: 100,
  openedBytes: 16 * MB,
  text: 256 * 1024,
  textPartBytes: MB,
}
