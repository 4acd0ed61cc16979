/**
 * Whether a RAR or 7z archive is encrypted. Both are read here only as far as that: their members stay unseen.
 * Every length is checked against the file's, and the number of steps is bounded.
 */

const mostBlocks = 10_000

export function isEncryptedRar(bytes: Buffer): boolean {
  return bytes[6] === 0 ? isEncryptedRar4(bytes) : isEncryptedRar5(bytes)
}

/** Blocks: checksum (2), type (1), flags (2), size (2), and the size of data behind it (4) where a flag says so. */
function isEncryptedRar4(bytes: Buffer): boolean {
  let at = 7
  for (let block = 0; block < mostBlocks && at + 11 <= bytes.length; block++) {
    const type = bytes[at + 2]
    const flags = bytes.readUInt16LE(at + 3)
    if ((type === 0x73 && (flags & 0x80) !== 0) || (type === 0x74 && (flags & 0x04) !== 0)) return true
    const dataBytes = (flags & 0x8000) !== 0 ? bytes.readUInt32LE(at + 7) : 0
    at += Math.max(7, bytes.readUInt16LE(at + 5)) + dataBytes
  }
  return false
}

/** Blocks: checksum (4), then numbers of seven bits an octet: header size, type, flags, extra and data size. */
function isEncryptedRar5(bytes: Buffer): boolean {
  let at = 8
  for (let block = 0; block < mostBlocks && at + 7 <= bytes.length; block++) {
    const reader = new NumberReader(bytes, at + 4)
    const headerBytes = reader.next()
    const headerAt = reader.at
    const type = reader.next()
    if (type === 4) return true
    const flags = reader.next()
    const extraBytes = (flags & 1) !== 0 ? reader.next() : 0
    const dataBytes = (flags & 2) !== 0 ? reader.next() : 0
    const end = headerAt + headerBytes
    if ((type === 2 || type === 3) && hasEncryptionRecord(bytes, Math.max(headerAt, end - extraBytes), end))
      return true
    at = end + dataBytes
  }
  return false
}

/** The extra area of a file: records of size, type, data; type 1 is encryption. */
function hasEncryptionRecord(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start, record = 0; at < Math.min(end, bytes.length) && record < 100; record++) {
    const reader = new NumberReader(bytes, at)
    const size = reader.next()
    const dataAt = reader.at
    if (reader.next() === 1) return true
    at = dataAt + size
  }
  return false
}

class NumberReader {
  readonly #bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  /** Zero at the end of the file, where every loop above ends. */
  next(): number {
    let value = 0
    for (let weight = 1; this.at < this.#bytes.length && weight < 2 ** 49; weight *= 128) {
      const octet = this.#bytes[this.at++]!
      value += (octet & 0x7f) * weight
      if (octet < 0x80) break
    }
    return value
  }
}

/**
 * The header stands at the end, and names the coders; AES is one. Where it is itself compressed, which is
 * usual with many members, what is in it is not seen: then only an encrypted header shows.
 */
export function isEncrypted7z(bytes: Buffer): boolean {
  if (bytes.length < 32) return false
  const start = 32 + Number(bytes.readBigUInt64LE(12))
  const length = Number(bytes.readBigUInt64LE(20))
  return bytes.subarray(start, Math.min(start + length, start + 1024 * 1024)).includes(aesCoder)
}

const aesCoder = Buffer.from('06f10701', 'hex')
