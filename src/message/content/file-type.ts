/**
 * What a file is by its first octets, whatever its name and declared type say. Only scripts that have no mark of
 * their own are known by their names, as Windows knows them.
 */

export type FileFormat =
  | 'executable'
  | 'zip'
  | 'gzip'
  | 'tar'
  | 'rar'
  | '7z'
  | 'archive' // any other
  | 'compound' // OLE2: older Office documents, MSI, Outlook's .msg
  | 'tnef'
  | 'cms' // S/MIME
  | 'unknown'

/** So much of the beginning is enough: a CD image has its mark behind 32 KB. */
export const headBytes = 36 * 1024

export function fileFormat(head: Buffer): FileFormat {
  for (const [format, offset, mark] of marks) if (hasAt(head, offset, mark)) return format
  if (isDosProgram(head) || isScript(head)) return 'executable'
  if (isTar(head)) return 'tar'
  return head[0] === 0x30 && cmsType(head) !== null ? 'cms' : 'unknown'
}

export function isScriptName(extension: string | null): boolean {
  return extension !== null && scriptExtensions.has(extension)
}

const scriptExtensions = new Set(
  'bat cmd com cpl hta jar js jse lnk msc pif ps1 ps1xml ps2 psc1 psm1 reg scf scr sct url vb vbe vbs ws wsc wsf wsh'.split(
    ' ',
  ),
)

/** What S/MIME does to a message (RFC 5652 §14, RFC 5083): the object identifier in the first octets says it. */
export function cmsType(head: Buffer): 'signed' | 'encrypted' | 'other' | null {
  const start = head.subarray(0, 32)
  for (const [type, identifier] of cmsTypes) if (start.includes(identifier)) return type
  return null
}

const cmsTypes = [
  ['signed', Buffer.from('06092a864886f70d010702', 'hex')],
  ['encrypted', Buffer.from('06092a864886f70d010703', 'hex')],
  ['encrypted', Buffer.from('060b2a864886f70d0109100117', 'hex')], // authenticated
  ['other', Buffer.from('06092a864886f70d0107', 'hex')],
  ['other', Buffer.from('060b2a864886f70d0109100109', 'hex')], // compressed
] as const

type Mark = readonly [format: FileFormat, offset: number, mark: Buffer]

const mark = (format: FileFormat, hex: string, offset = 0): Mark => [format, offset, Buffer.from(hex, 'hex')]
const word = (format: FileFormat, text: string, offset = 0): Mark => [
  format,
  offset,
  Buffer.from(text, 'latin1'),
]

const marks: readonly Mark[] = [
  word('executable', '\x7fELF'),
  mark('executable', 'feedface'), // Mach-O, in both orders of octets and both widths
  mark('executable', 'feedfacf'),
  mark('executable', 'cefaedfe'),
  mark('executable', 'cffaedfe'),
  mark('executable', 'cafebabe'), // Java, and Mach-O for several processors
  mark('executable', '4c0000000114020000000000c000000000000046'), // .lnk
  word('executable', 'dex\n'), // Android
  word('executable', 'ITSF'), // .chm: help with scripts in it
  word('zip', 'PK\x03\x04'),
  word('zip', 'PK\x05\x06'), // an empty one
  mark('gzip', '1f8b'),
  word('rar', 'Rar!\x1a\x07'),
  mark('7z', '377abcaf271c'),
  mark('archive', 'fd377a585a00'), // xz
  mark('archive', '28b52ffd'), // zstd
  mark('archive', '1f9d'), // compress
  mark('archive', '60ea'), // arj
  word('archive', '**ACE**', 7),
  mark('archive', '314159265359', 4), // bzip2
  word('archive', 'MSCF'), // cab
  word('archive', '-lh', 2),
  word('archive', 'CD001', 0x8001), // ISO 9660
  word('archive', 'BEA01', 0x8001), // UDF
  word('archive', 'vhdxfile'),
  word('archive', 'conectix'), // vhd
  mark('compound', 'd0cf11e0a1b11ae1'),
  mark('tnef', '789f3e22'),
]

function hasAt(head: Buffer, offset: number, expected: Buffer): boolean {
  return head[offset] === expected[0] && head.subarray(offset, offset + expected.length).equals(expected)
}

/** `MZ` alone begins many a text; a program has zeros in its header. */
function isDosProgram(head: Buffer): boolean {
  return (hasAt(head, 0, mz) || hasAt(head, 0, zm)) && head.subarray(0, 64).includes(0)
}

const mz = Buffer.from('MZ')
const zm = Buffer.from('ZM')

function isScript(head: Buffer): boolean {
  return /^(?:\xef\xbb\xbf)?#![ \t]*\//.test(head.toString('latin1', 0, 16))
}

/** The checksum tells: tar of old has no mark (POSIX ustar; the checksum field counts as blanks). */
function isTar(head: Buffer): boolean {
  if (head.length < 512 || head[0] === 0) return false
  const written = Number.parseInt(head.toString('latin1', 148, 156).trim(), 8)
  if (!(written > 0)) return false
  let sum = 8 * 0x20
  for (let at = 0; at < 512; at++) if (at < 148 || at >= 156) sum += head[at]!
  return sum === written
}
