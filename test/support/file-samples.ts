/** Files for tests, the smallest that are what they claim to be. */

/** A program's header, and nothing that runs. */
export const exe = Buffer.concat([
  Buffer.from('MZ\x90\x00\x03\x00\x00\x00', 'latin1'),
  Buffer.alloc(56),
  Buffer.from('PE\0\0'),
])

export interface TarSource {
  readonly name: string
  readonly bytes: Buffer | string
  readonly type?: string
  /** Instead of the true one. */
  readonly sizeBytes?: number
}

export function writeTar(sources: readonly TarSource[]): Buffer {
  const blocks = sources.flatMap((source) => {
    const bytes = Buffer.from(source.bytes)
    return [tarHeader(source, bytes.length), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

function tarHeader({ name, type = '0', sizeBytes }: TarSource, length: number): Buffer {
  const header = Buffer.alloc(512)
  header.write(name.slice(0, 100), 0)
  header.write('0000644\0', 100)
  header.write(`${(sizeBytes ?? length).toString(8).padStart(11, '0')}\0`, 124)
  header.write('        ', 148)
  header.write(type, 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, octet) => total + octet, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** A compound file (OLE2) with streams of these names, all empty: header, one sector of table, then the directory. */
export function writeCompoundFile(names: readonly string[], rootClass = ''): Buffer {
  const entries = [
    compoundEntry('Root Entry', 5, rootClass),
    ...names.map((name) => compoundEntry(name, 2, '')),
  ]
  const directorySectors = Math.ceil(entries.length / 4)
  const header = Buffer.alloc(512, 0xff)
  header.fill(0, 0, 76)
  Buffer.from('d0cf11e0a1b11ae1', 'hex').copy(header)
  header.writeUInt16LE(9, 30)
  header.writeUInt32LE(1, 44)
  header.writeUInt32LE(1, 48)
  header.writeUInt32LE(0xfffffffe, 60)
  header.writeUInt32LE(0xfffffffe, 68)
  header.writeUInt32LE(0, 76)
  const table = Buffer.alloc(512, 0xff)
  table.writeUInt32LE(0xfffffffd, 0)
  for (let sector = 1; sector <= directorySectors; sector++)
    table.writeUInt32LE(sector === directorySectors ? 0xfffffffe : sector + 1, sector * 4)
  const directory = Buffer.alloc(directorySectors * 512)
  entries.forEach((entry, index) => {
    entry.copy(directory, index * 128)
  })
  return Buffer.concat([header, table, directory])
}

function compoundEntry(name: string, type: number, rootClass: string): Buffer {
  const entry = Buffer.alloc(128)
  entry.write(name, 0, 'utf16le')
  entry.writeUInt16LE(name.length * 2 + 2, 64)
  entry[66] = type
  entry.write(rootClass, 80, 'hex')
  return entry
}

export function uuencode(name: string, bytes: Buffer): string {
  const lines = [`begin 644 ${name}`]
  for (let at = 0; at < bytes.length; at += 45) lines.push(uuencodedLine(bytes.subarray(at, at + 45)))
  return [...lines, '`', 'end'].join('\r\n')
}

function uuencodedLine(bytes: Buffer): string {
  const sextet = (value: number): string => String.fromCharCode(value === 0 ? 0x60 : value + 0x20)
  let line = sextet(bytes.length)
  for (let at = 0; at < bytes.length; at += 3) {
    const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    line += [18, 12, 6, 0].map((shift) => sextet((bits >> shift) & 0x3f)).join('')
  }
  return line
}
