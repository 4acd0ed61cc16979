/** The members of a tar archive (POSIX ustar, with GNU's and pax's long names). */

export interface TarMember {
  readonly name: string
  readonly sizeBytes: number
  /** Less than `sizeBytes` where the archive ends early. */
  readonly bytes: Buffer
}

const blockBytes = 512

/** Files only. Ends at the first block that is no header; yields nothing of what follows. */
export function* tarMembers(archive: Buffer): Iterable<TarMember> {
  let longName: string | null = null
  for (let at = 0; at + blockBytes <= archive.length && archive[at] !== 0; ) {
    const header = archive.subarray(at, at + blockBytes)
    const sizeBytes = memberSize(header)
    const start = at + blockBytes
    const bytes = archive.subarray(start, start + sizeBytes)
    const type = String.fromCharCode(header[156]!)
    if (type === 'L') longName = text(bytes.subarray(0, 4096))
    else if (type === 'x') longName = paxPath(bytes.subarray(0, 64 * 1024)) ?? longName
    else {
      if (type === '0' || type === '\0' || type === '7')
        yield { name: longName ?? headerName(header), sizeBytes, bytes }
      longName = null
    }
    at = start + Math.ceil(sizeBytes / blockBytes) * blockBytes
  }
}

function headerName(header: Buffer): string {
  const prefix = header.toString('latin1', 257, 262) === 'ustar' ? text(header.subarray(345, 500)) : ''
  const name = text(header.subarray(0, 100))
  return prefix === '' ? name : `${prefix}/${name}`
}

/** Octal digits; or, with the first bit set, a number of base 256 (GNU). */
function memberSize(header: Buffer): number {
  const size =
    header[124]! >= 0x80
      ? header.readUIntBE(130, 6)
      : Number.parseInt(text(header.subarray(124, 136)).trim() || '0', 8)
  return Number.isFinite(size) && size > 0 ? size : 0
}

/** Records such as `27 path=a/long/name.txt\n`. */
function paxPath(records: Buffer): string | null {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(records.toString('utf8'))?.[1] ?? null
}

function text(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? field.length : end)
}
