/**
 * The directory of a compound file (OLE2, MS-CFB): the names of what is in it tell Word from Excel from an
 * installer, and whether there are macros. Nothing in the file is believed: every number is checked against its length,
 * and a chain that runs in a circle ends.
 */

export interface CompoundFile {
  /** Of its storages and streams. */
  readonly names: ReadonlySet<string>
  /** The class of the root, in hexadecimal. */
  readonly rootClass: string
}

const entryBytes = 128
const mostEntries = 10_000
const endOfChain = 0xfffffffa

/** Null where the directory cannot be read. */
export function readCompoundFile(bytes: Buffer): CompoundFile | null {
  if (bytes.length < 512) return null
  const shift = bytes.readUInt16LE(30)
  if (shift !== 9 && shift !== 12) return null
  const table = new SectorTable(bytes, 1 << shift)
  const names = new Set<string>()
  let rootClass: string | null = null
  let entries = 0
  for (const sector of table.chain(bytes.readUInt32LE(48))) {
    for (let at = 0; at < sector.length && entries < mostEntries; at += entryBytes, entries++) {
      const entry = sector.subarray(at, at + entryBytes)
      names.add(entryName(entry))
      if (rootClass === null) rootClass = entry.toString('hex', 80, 96)
    }
  }
  return rootClass === null ? null : { names, rootClass }
}

/** UTF-16 with a zero behind it; the length counts octets. */
function entryName(entry: Buffer): string {
  return entry.toString('utf16le', 0, Math.max(0, Math.min(entry.readUInt16LE(64), 64) - 2))
}

class SectorTable {
  readonly #bytes: Buffer
  readonly #size: number
  readonly #count: number
  /** The sectors that hold the table itself, as far as they have been found. */
  readonly #tableSectors: number[] = []

  constructor(bytes: Buffer, size: number) {
    this.#bytes = bytes
    this.#size = size
    this.#count = Math.floor(bytes.length / size)
    this.#findTable()
  }

  /** Sector after sector, each once at most. */
  *chain(first: number): Iterable<Buffer> {
    let number = first
    for (let steps = 0; steps < this.#count && number < endOfChain; steps++) {
      const sector = this.#sector(number)
      if (sector === null) return
      yield sector
      number = this.#next(number)
    }
  }

  /** 109 in the header, the others in sectors of their own, the last number of each leading on. */
  #findTable(): void {
    this.#takeTableSectors(this.#bytes.subarray(76, 512))
    let number = this.#bytes.readUInt32LE(68)
    for (let steps = 0; steps < this.#count && number < endOfChain; steps++) {
      const sector = this.#sector(number)
      if (sector === null) return
      this.#takeTableSectors(sector.subarray(0, this.#size - 4))
      number = sector.readUInt32LE(this.#size - 4)
    }
  }

  #takeTableSectors(numbers: Buffer): void {
    for (let at = 0; at + 4 <= numbers.length && this.#tableSectors.length < this.#count; at += 4) {
      const number = numbers.readUInt32LE(at)
      if (number < endOfChain) this.#tableSectors.push(number)
    }
  }

  #sector(number: number): Buffer | null {
    const at = (number + 1) * this.#size
    return at + this.#size <= this.#bytes.length ? this.#bytes.subarray(at, at + this.#size) : null
  }

  #next(number: number): number {
    const perSector = this.#size / 4
    const tableSector = this.#tableSectors[Math.floor(number / perSector)]
    const sector = tableSector === undefined ? null : this.#sector(tableSector)
    return sector === null ? endOfChain : sector.readUInt32LE((number % perSector) * 4)
  }
}
