/**
 * Opens attachments: says what they are by their content, and lists what is in archives, archives in archives, and
 * Office documents, within limits that all attachments of a message share. What is not opened says why. Nothing
 * is unpacked without a bound on its size, and nothing is kept once its type is known: at most one file of each
 * depth is in memory.
 */
import { constants, gunzipSync, inflateRawSync } from 'node:zlib'
import { isEncrypted7z, isEncryptedRar } from './archive-encryption.ts'
import { extensionOf } from './attachment-name.ts'
import { type CompoundFile, readCompoundFile } from './compound-file.ts'
import { cmsType, type FileFormat, fileFormat, headBytes } from './file-type.ts'
import { FoundAttachment } from './found-attachment.ts'
import type { InspectionLimits } from './inspection-limits.ts'
import { tarMembers } from './tar.ts'
import { readZip, type Zip, type ZipMember, zipStart } from './zip.ts'

export interface OpenFile {
  readonly bytes: Buffer
  /** False where these are only the first of them. */
  readonly complete: boolean
  /** How many archives it lies in. */
  readonly depth: number
}

interface Options {
  readonly limits: InspectionLimits
  /** A message as a file (.eml): what is in it is put into `found.inside`. */
  readonly readMessage: (found: FoundAttachment, file: OpenFile) => Promise<void>
}

/** Ratios say nothing of what is small. */
const smallBytes = 1024 * 1024

export class ArchiveOpener {
  readonly #options: Options
  #members = 0
  #inflatedBytes = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** Fills in `types`, `notInspected` and `inside`. */
  async open(found: FoundAttachment, file: OpenFile): Promise<void> {
    const format = fileFormat(file.bytes)
    note(found, format)
    if (format === 'compound') openCompound(found, file)
    else if (format === 'zip') await this.#openZip(found, file)
    else if (format === 'gzip') await this.#openGzip(found, file)
    else if (format === 'tar') await this.#openTar(found, file)
    else if (file.complete && zipStart(file.bytes) !== null) {
      found.types.add('archive')
      await this.#openZip(found, file)
    } else if (found.extension === 'eml') await this.#openMessage(found, file)
    else noteUnopened(found, format, file)
  }

  async #openMessage(found: FoundAttachment, file: OpenFile): Promise<void> {
    if (this.#mayOpen(found, file) > 0) await this.#options.readMessage(found, file)
  }

  async #openZip(found: FoundAttachment, file: OpenFile): Promise<void> {
    if (hasEncryptedFirstMember(file.bytes)) markEncrypted(found)
    if (!file.complete && beginsAsDocument(file.bytes)) markDocument(found)
    const room = this.#mayOpen(found, file)
    if (room === 0) return
    const zip = await readZip(file.bytes, room)
    const document = isOfficeDocument(found, zip)
    this.#members += zip.members.length
    if (zip.state !== 'whole') found.notInspected ??= zip.state
    for (const member of zip.members) {
      const inside = new FoundAttachment(member.name)
      await this.#openMember(inside, { member, document, depth: file.depth + 1 })
      if (member.encrypted) markEncrypted(found)
      // Of a document only what does not belong in one.
      if (!document || inside.types.size > 0 || inside.notInspected !== null) found.inside.push(inside)
    }
  }

  async #openMember(
    inside: FoundAttachment,
    { member, document, depth }: { member: ZipMember; document: boolean; depth: number },
  ): Promise<void> {
    inside.sizeBytes = member.sizeBytes
    if (member.encrypted) inside.notInspected = 'encrypted'
    else if (member.method === 'other') inside.notInspected = 'unsupported'
    else {
      const bytes = this.#unpack(inside, member, document)
      await this.open(inside, { bytes, complete: inside.notInspected === null, depth })
    }
  }

  /** All of it, or its beginning and `notInspected`. Of a document's own members the beginning is enough. */
  #unpack(inside: FoundAttachment, member: ZipMember, document: boolean): Buffer {
    if (member.method === 'stored') return this.#stored(inside, member)
    if (document && this.#room() > 0) {
      const head = this.#beginning(member.packed, inflateRawSync)
      if (!mayHoldMore(head)) return head
    }
    return this.#inflate(inside, member.packed, inflateRawSync)
  }

  /** It counts as unpacked: many members may lie in one place. */
  #stored(inside: FoundAttachment, { packed }: ZipMember): Buffer {
    inside.sizeBytes = packed.length
    const fits = packed.length <= Math.min(this.#options.limits.openedBytes, this.#room())
    if (!fits) inside.notInspected = 'tooLarge'
    const bytes = fits ? packed : packed.subarray(0, headBytes)
    this.#inflatedBytes += bytes.length
    return bytes
  }

  async #openGzip(found: FoundAttachment, file: OpenFile): Promise<void> {
    if (this.#mayOpen(found, file) === 0) return
    this.#members++
    const inside = new FoundAttachment(gzipName(found, file.bytes))
    const stored = storedName(file.bytes)
    // Which of the two names a program gives it is a matter of taste.
    if (stored !== null && new FoundAttachment(stored).extension !== inside.extension)
      found.notInspected = 'damaged'
    const bytes = this.#inflate(inside, file.bytes, gunzipSync)
    found.inside.push(inside)
    await this.open(inside, { bytes, complete: inside.notInspected === null, depth: file.depth + 1 })
  }

  async #openTar(found: FoundAttachment, file: OpenFile): Promise<void> {
    if (this.#mayOpen(found, file) === 0) return
    for (const member of tarMembers(file.bytes)) {
      if (this.#members === this.#options.limits.archiveMembers) {
        found.notInspected = 'tooMany'
        return
      }
      this.#members++
      const inside = new FoundAttachment(member.name)
      inside.sizeBytes = member.sizeBytes
      found.inside.push(inside)
      await this.open(inside, { bytes: member.bytes, complete: true, depth: file.depth + 1 })
      if (member.bytes.length < member.sizeBytes) inside.notInspected = 'damaged'
    }
  }

  /** How many members may still be listed; 0 where it stays closed. */
  #mayOpen(found: FoundAttachment, file: OpenFile): number {
    const { archiveDepth, archiveMembers } = this.#options.limits
    const room = archiveMembers - this.#members
    if (!file.complete) found.notInspected ??= 'tooLarge'
    else if (file.depth >= archiveDepth) found.notInspected ??= 'tooDeep'
    else if (room <= 0) found.notInspected ??= 'tooMany'
    else return room
    return 0
  }

  /** How much may still be unpacked. */
  #room(): number {
    return this.#options.limits.inflatedBytes - this.#inflatedBytes
  }

  /** All of it; or its beginning and `notInspected`, where it is larger than it may be, or damaged. */
  #inflate(inside: FoundAttachment, packed: Buffer, inflate: Inflate): Buffer {
    const { inflationRatio, openedBytes } = this.#options.limits
    const most = Math.min(openedBytes, this.#room(), Math.max(smallBytes, packed.length * inflationRatio))
    try {
      if (most <= 0) throw new RangeError('no room')
      const bytes = inflate(packed, { maxOutputLength: most })
      this.#inflatedBytes += bytes.length
      inside.sizeBytes = bytes.length
      return bytes
    } catch (error) {
      inside.notInspected = error instanceof RangeError ? 'tooLarge' : 'damaged'
      // It was unpacked up to there, so that counts.
      if (error instanceof RangeError) this.#inflatedBytes += Math.max(0, most)
      return this.#beginning(packed, inflate)
    }
  }

  /** What comes of the first octets: enough to know most types. It has as much room again as the rest. */
  #beginning(packed: Buffer, inflate: Inflate): Buffer {
    if (this.#inflatedBytes >= 2 * this.#options.limits.inflatedBytes) return nothing
    try {
      const bytes = inflate(packed.subarray(0, 1024), { finishFlush: constants.Z_SYNC_FLUSH })
      this.#inflatedBytes += bytes.length
      return bytes
    } catch {
      return nothing
    }
  }
}

type Inflate = typeof inflateRawSync

const nothing = Buffer.alloc(0)

function mayHoldMore(head: Buffer): boolean {
  return ['zip', 'gzip', 'tar', 'compound', 'rar', '7z'].includes(fileFormat(head))
}

function note(found: FoundAttachment, format: FileFormat): void {
  if (format === 'executable') found.types.add('executable')
  if (['zip', 'gzip', 'tar', 'rar', '7z', 'archive'].includes(format)) found.types.add('archive')
}

function markEncrypted(found: FoundAttachment): void {
  found.types.add('encryptedArchive')
  found.notInspected = 'encrypted'
}

/** Formats whose contents nothing here reads. */
function noteUnopened(found: FoundAttachment, format: FileFormat, { bytes, complete }: OpenFile): void {
  if (format === 'rar' && isEncryptedRar(bytes)) markEncrypted(found)
  else if (format === '7z' && complete && isEncrypted7z(bytes)) markEncrypted(found)
  else if (format === 'cms' && cmsType(bytes) === 'encrypted') found.notInspected = 'encrypted'
  else if (format === 'cms' && !isSignature(found)) found.notInspected ??= 'unsupported'
  else if (['rar', '7z', 'archive', 'tnef'].includes(format)) found.notInspected ??= 'unsupported'
}

/** A detached signature, and certificates: there is nothing in them to see. */
function isSignature({ contentType, extension }: FoundAttachment): boolean {
  return (
    /^application\/(?:x-)?pkcs7-(?:signature|certificates)$/.test(contentType) ||
    /^p7[bcs]$/.test(extension ?? '')
  )
}

/** Without `.gz` where that leaves an extension, as gunzip has it; else as the file itself says. */
function gzipName({ name }: FoundAttachment, bytes: Buffer): string | null {
  const outer = name?.replace(/\.t(?:ar\.)?gz$/i, '.tar').replace(/\.gz$/i, '') ?? ''
  return extensionOf(outer) === null ? (storedName(bytes) ?? name) : outer
}

/** RFC 1952 §2.3: it stands behind ten octets and an extra field, where flags say so. */
function storedName(bytes: Buffer): string | null {
  const flags = bytes[3] ?? 0
  const extraBytes = (flags & 0x04) !== 0 && bytes.length > 12 ? 2 + bytes.readUInt16LE(10) : 0
  const start = 10 + extraBytes
  const end = bytes.subarray(start, start + 1024).indexOf(0)
  return (flags & 0x08) !== 0 && end > 0 ? bytes.toString('latin1', start, start + end) : null
}

/** Bit 0 of a member's flags, or bit 6: then yauzl does not read the directory. */
function hasEncryptedFirstMember(bytes: Buffer): boolean {
  return bytes.length > 8 && bytes.toString('latin1', 0, 4) === 'PK\x03\x04' && (bytes[6]! & 0x41) !== 0
}

/** Office Open XML and OpenDocument are ZIP files; a Java archive is a program. Notes which; true for a document. */
function isOfficeDocument(found: FoundAttachment, { members }: Zip): boolean {
  const names = members.map((member) => member.name)
  if (names.includes('META-INF/MANIFEST.MF')) found.types.add('executable')
  const openXml = names.some((name) => name.toLowerCase() === '[content_types].xml')
  const openDocument = members.some((member) => member.name === 'mimetype' && isOpenDocument(member))
  if (!openXml && !openDocument) return false
  const macros = names.some(
    (name) => /(?:^|\/)vbaProject\.bin$/i.test(name) || /^(?:Basic|Scripts)\//.test(name),
  )
  markDocument(found)
  if (macros) found.types.add('officeWithMacros')
  return true
}

function markDocument(found: FoundAttachment): void {
  found.types.delete('archive')
  found.types.add('office')
}

const openDocumentType = 'application/vnd.oasis.opendocument.'

function isOpenDocument({ method, packed }: ZipMember): boolean {
  return method === 'stored' && packed.toString('latin1', 0, openDocumentType.length) === openDocumentType
}

/** By the name of the first member, where more is not to be had. */
function beginsAsDocument(head: Buffer): boolean {
  const name = head.toString('latin1', 30, 100)
  return name.startsWith('[Content_Types].xml') || name.startsWith(`mimetype${openDocumentType}`)
}

function openCompound(found: FoundAttachment, { bytes, complete }: OpenFile): void {
  const file = complete ? readCompoundFile(bytes) : null
  if (file === null) {
    found.types.add('office')
    found.notInspected ??= complete ? 'damaged' : 'tooLarge'
    return
  }
  noteCompound(found, file)
}

const officeStreams = ['WordDocument', 'Workbook', 'Book', 'PowerPoint Document', 'VisioDocument', 'Quill']
const macroStorages = ['VBA', 'Macros', '_VBA_PROJECT_CUR', '_VBA_PROJECT']
/** Installer packages, patches and transforms (.msi, .msp, .mst). */
const installerClass = /^8[246]100c0000000000c000000000000046$/

function noteCompound(found: FoundAttachment, { names, rootClass }: CompoundFile): void {
  const holds = (name: string): boolean => names.has(name)
  if (installerClass.test(rootClass)) found.types.add('executable')
  if (holds('EncryptedPackage')) markEncrypted(found)
  if (macroStorages.some(holds)) found.types.add('office').add('officeWithMacros')
  if (holds('EncryptedPackage') || officeStreams.some(holds)) found.types.add('office')
  // A file put into a document as an object, and Outlook's messages.
  if (holds('\x01Ole10Native') || holds('__properties_version1.0')) found.notInspected ??= 'unsupported'
}
