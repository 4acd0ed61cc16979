/** ZIP files for tests, also such as no program writes: a member can lie in each of its two headers. */
import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipSource {
  readonly name: string
  readonly bytes?: Buffer | string
  readonly stored?: boolean
  /** General purpose bits: 1 is encrypted. */
  readonly flags?: number
  readonly method?: number
  /** In the member's own header, where it shall differ. */
  readonly ownName?: string
  /** Not in the central directory. */
  readonly hidden?: boolean
  /** In the central directory, instead of where it is, how large it is, or how large it is packed. */
  readonly offset?: number
  readonly sizeBytes?: number
  readonly packedBytes?: number
}

export interface ZipOptions {
  /** What stands before the archive; its offsets do not count it. */
  readonly before?: Buffer
  /** In the record at the end. */
  readonly entries?: number
  readonly comment?: string
}

export function writeZip(sources: readonly ZipSource[], options: ZipOptions = {}): Buffer {
  const members: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const source of sources) {
    const raw = Buffer.from(source.bytes ?? '')
    const packed = source.stored ? raw : deflateRawSync(raw)
    const member = Buffer.concat([
      ownHeader(source, raw, packed),
      Buffer.from(source.ownName ?? source.name),
      packed,
    ])
    if (!source.hidden) directory.push(directoryHeader(source, { raw, packed, at }), Buffer.from(source.name))
    members.push(member)
    at += member.length
  }
  const records = Buffer.concat(directory)
  const comment = Buffer.from(options.comment ?? '')
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  const entries = options.entries ?? sources.filter((source) => !source.hidden).length
  end.writeUInt16LE(entries & 0xffff, 8)
  end.writeUInt16LE(entries & 0xffff, 10)
  end.writeUInt32LE(records.length, 12)
  end.writeUInt32LE(at, 16)
  end.writeUInt16LE(comment.length, 20)
  return Buffer.concat([options.before ?? Buffer.alloc(0), ...members, records, end, comment])
}

function ownHeader(source: ZipSource, raw: Buffer, packed: Buffer): Buffer {
  const header = Buffer.alloc(30)
  header.write('PK\x03\x04', 'latin1')
  writeCommon(header, 4, { source, raw, packed })
  header.writeUInt16LE(Buffer.byteLength(source.ownName ?? source.name), 26)
  return header
}

function directoryHeader(source: ZipSource, place: { raw: Buffer; packed: Buffer; at: number }): Buffer {
  const header = Buffer.alloc(46)
  header.write('PK\x01\x02', 'latin1')
  header.writeUInt16LE(20, 4)
  writeCommon(header, 6, { source, ...place })
  header.writeUInt32LE(source.packedBytes ?? place.packed.length, 20)
  header.writeUInt32LE(source.sizeBytes ?? place.raw.length, 24)
  header.writeUInt16LE(Buffer.byteLength(source.name), 28)
  header.writeUInt32LE(source.offset ?? place.at, 42)
  return header
}

function writeCommon(
  header: Buffer,
  at: number,
  { source, raw, packed }: { source: ZipSource; raw: Buffer; packed: Buffer },
): void {
  header.writeUInt16LE(20, at)
  header.writeUInt16LE(source.flags ?? 0, at + 2)
  header.writeUInt16LE(source.method ?? (source.stored ? 0 : 8), at + 4)
  header.writeUInt32LE(crc32(raw), at + 10)
  header.writeUInt32LE(packed.length, at + 14)
  header.writeUInt32LE(raw.length, at + 18)
}
