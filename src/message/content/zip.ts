/**
 * A ZIP file's members, read from its central directory by yauzl and held against the members' own headers. Programs
 * differ in which of the two they believe, so where they disagree the archive is damaged, and so it is where
 * members overlap (a small file that unpacks to petabytes) or where one stands that the directory does not name.
 */
import { type Entry, fromBufferPromise, getFileNameLowLevel, type ZipFile } from 'yauzl'

export interface ZipMember {
  readonly name: string
  /** As the directory says. */
  readonly sizeBytes: number
  readonly method: 'stored' | 'deflated' | 'other'
  readonly encrypted: boolean
  /** As it stands in the archive. */
  readonly packed: Buffer
}

export interface Zip {
  readonly members: readonly ZipMember[]
  /** `tooMany`: there are more members than asked for. */
  readonly state: 'whole' | 'damaged' | 'tooMany'
}

/**
 * Where the archive begins in a file that has something else before it (a program that unpacks itself, or a
 * disguise); null for a file without the record that ends a ZIP.
 */
export function zipStart(bytes: Buffer): number | null {
  const from = Math.max(0, bytes.length - endRecordBytes - mostCommentBytes)
  const at = from + bytes.subarray(from).lastIndexOf(endRecord)
  if (at < from || bytes.length - at < endRecordBytes) return null
  if (at + endRecordBytes + bytes.readUInt16LE(at + 20) !== bytes.length) return null
  const directoryAt = at - bytes.readUInt32LE(at + 12)
  return Math.max(0, directoryAt - bytes.readUInt32LE(at + 16))
}

const endRecord = Buffer.from('PK\x05\x06')
const endRecordBytes = 22
const mostCommentBytes = 0xffff
const memberMark = Buffer.from('PK\x03\x04')

export async function readZip(file: Buffer, mostMembers: number): Promise<Zip> {
  const bytes = file.subarray(zipStart(file) ?? 0)
  const directory = await readDirectory(bytes, mostMembers)
  const located = directory.entries.map((entry) => locate(bytes, entry))
  const sound = located.every((each) => each.sound) && covers(bytes, located)
  return {
    members: located.flatMap((each) => each.members).filter((member) => !member.name.endsWith('/')),
    state: directory.state === 'whole' && !sound ? 'damaged' : directory.state,
  }
}

interface Directory {
  readonly entries: readonly Entry[]
  readonly state: Zip['state']
}

/** As far as it can be read. Names stay octets: yauzl would refuse the archive for a path such as `../a`. */
async function readDirectory(bytes: Buffer, mostMembers: number): Promise<Directory> {
  const entries: Entry[] = []
  let zip: ZipFile | null = null
  try {
    zip = await fromBufferPromise(bytes, { decodeStrings: false, validateEntrySizes: false })
    for await (const entry of zip.eachEntry()) {
      if (entries.length === mostMembers) return { entries, state: 'tooMany' }
      entries.push(entry)
    }
    return { entries, state: 'whole' }
  } catch {
    return { entries, state: 'damaged' }
  }
}

interface Located {
  /** One; two where its own header gives it another name. */
  readonly members: readonly ZipMember[]
  /** Of its header and data in the archive. */
  readonly start: number
  readonly end: number
  /** Its own header is where the directory says, and says the same. */
  readonly sound: boolean
}

const headerBytes = 30

function locate(bytes: Buffer, entry: Entry): Located {
  const {
    relativeOffsetOfLocalHeader: start,
    compressionMethod: method,
    generalPurposeBitFlag: flags,
  } = entry
  const member = {
    name: getFileNameLowLevel(flags, entry.fileNameRaw, entry.extraFields, false),
    sizeBytes: entry.uncompressedSize,
    method: method === 0 ? 'stored' : method === 8 ? 'deflated' : 'other',
    encrypted: entry.isEncrypted(),
    packed: nothing,
  } as const
  const present = start + headerBytes <= bytes.length && bytes.subarray(start, start + 4).equals(memberMark)
  if (!present) return { members: [member], start, end: start, sound: false }
  const nameAt = start + headerBytes
  const rawName = bytes.subarray(nameAt, nameAt + bytes.readUInt16LE(start + 26))
  const dataAt = nameAt + rawName.length + bytes.readUInt16LE(start + 28)
  const end = dataAt + entry.compressedSize
  const found = { ...member, packed: bytes.subarray(dataAt, end) }
  const otherName = { ...found, name: getFileNameLowLevel(flags, rawName, [], false) }
  const sameName = rawName.equals(entry.fileNameRaw)
  const sound = sameName && end <= bytes.length && bytes.readUInt16LE(start + 8) === method
  return { members: sameName ? [found] : [found, otherName], start, end, sound }
}

const nothing = Buffer.alloc(0)

/** Whether no two overlap, and no header of a member stands where the directory names none. */
function covers(bytes: Buffer, members: readonly Located[]): boolean {
  let end = 0
  for (const member of [...members].sort((a, b) => a.start - b.start)) {
    if (member.start < end || bytes.subarray(end, member.start).includes(memberMark)) return false
    end = member.end
  }
  return !bytes.subarray(end).includes(memberMark)
}
