import { deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ArchiveOpener } from '../../../src/message/content/archive.ts'
import type { Attachment } from '../../../src/message/content/content.ts'
import { FoundAttachment, listAttachments } from '../../../src/message/content/found-attachment.ts'
import { type InspectionLimits, inspectionLimits } from '../../../src/message/content/inspection-limits.ts'
import { exe, writeCompoundFile, writeTar } from '../../support/file-samples.ts'
import { Prng } from '../../support/prng.ts'
import { writeZip } from '../../support/zip-writer.ts'

async function open(
  name: string,
  bytes: Buffer,
  limits: Partial<InspectionLimits> = {},
): Promise<Attachment[]> {
  const opener = new ArchiveOpener({
    limits: { ...inspectionLimits, ...limits },
    readMessage: async (found) => {
      found.inside.push(new FoundAttachment('in the message'))
    },
  })
  const found = new FoundAttachment(name)
  found.sizeBytes = bytes.length
  await opener.open(found, { bytes, complete: true, depth: 0 })
  return listAttachments([found])
}

const names = (list: readonly Attachment[]) =>
  list.slice(1).map((each) => [...each.within.slice(1), each.name].join(' > '))
const zeros = (megabytes: number) => Buffer.alloc(megabytes * 1024 * 1024)
const zipped = (name: string, bytes: Buffer) => writeZip([{ name, bytes }])

const prng = new Prng(1)
const noise = Buffer.from(Array.from({ length: 5000 }, () => prng.integer(0, 255)))

describe('what is in an archive', () => {
  it.each<[string, string, Buffer, readonly string[]]>([
    [
      'a ZIP file',
      'a.zip',
      writeZip([
        { name: 'dir/' },
        { name: 'dir/evil.exe', bytes: exe },
        { name: 'b.txt', bytes: 'x', stored: true },
      ]),
      ['evil.exe', 'b.txt'],
    ],
    ['a ZIP file under another name', 'a.txt', zipped('evil.exe', exe), ['evil.exe']],
    [
      'a ZIP file behind something else',
      'a.jpg',
      writeZip([{ name: 'evil.exe', bytes: exe }], { before: Buffer.from('\xff\xd8\xff picture', 'latin1') }),
      ['evil.exe'],
    ],
    [
      'a program that unpacks itself',
      'a.exe',
      writeZip([{ name: 'evil.exe', bytes: exe }], { before: exe }),
      ['evil.exe'],
    ],
    [
      'a ZIP file with a comment',
      'a.zip',
      writeZip([{ name: 'evil.exe', bytes: exe }], { comment: 'PK\x05\x06 is not the end' }),
      ['evil.exe'],
    ],
    [
      'a ZIP file with paths that lead out',
      'a.zip',
      writeZip([{ name: '../../evil.exe', bytes: exe }, { name: 'C:\\b.txt' }]),
      ['evil.exe', 'b.txt'],
    ],
    ['an empty ZIP file', 'a.zip', writeZip([]), []],
    ['a gzip file', 'evil.exe.gz', gzipSync(exe), ['evil.exe']],
    [
      'a tar archive',
      'a.tar',
      writeTar([
        { name: 'dir/', bytes: '', type: '5' },
        { name: 'dir/evil.exe', bytes: exe },
      ]),
      ['evil.exe'],
    ],
    [
      'a tar archive with a long name',
      'a.tar',
      writeTar([
        { name: '././@LongLink', type: 'L', bytes: `${'d/'.repeat(90)}evil.exe\0` },
        { name: 'd', bytes: exe },
      ]),
      ['evil.exe'],
    ],
    [
      'a tar archive with a pax name',
      'a.tar',
      writeTar([
        { name: 'x', type: 'x', bytes: '20 path=evil.exe\n' },
        { name: 'd', bytes: exe },
      ]),
      ['evil.exe'],
    ],
    [
      'a compressed tar archive',
      'a.tgz',
      gzipSync(writeTar([{ name: 'evil.exe', bytes: exe }])),
      ['a.tar', 'a.tar > evil.exe'],
    ],
    [
      'an archive in an archive',
      'a.zip',
      zipped('b.zip', zipped('evil.exe', exe)),
      ['b.zip', 'b.zip > evil.exe'],
    ],
    [
      'a message in an archive',
      'a.zip',
      zipped('b.eml', Buffer.from('Subject: x')),
      ['b.eml', 'b.eml > in the message'],
    ],
  ])('is seen in %s', async (_name, name, bytes, inside) => {
    const list = await open(name, bytes)
    expect(names(list)).toEqual(inside)
    expect(list.map((each) => each.notInspected)).toEqual(list.map(() => null))
    for (const each of list) if (each.name === 'evil.exe') expect(each.types).toContain('executable')
  })

  it('has its unpacked size', async () => {
    expect(await open('a.zip', zipped('a.txt', Buffer.from('some words')))).toMatchObject([
      { types: ['archive'], within: [] },
      { name: 'a.txt', sizeBytes: 10, types: [], within: ['a.zip'] },
    ])
  })
})

describe('an archive that lies', () => {
  it.each<[string, Buffer]>([
    [
      'gives a member another name in its own header',
      writeZip([{ name: 'evil.exe', bytes: exe, ownName: 'nice.txt' }]),
    ],
    [
      'has the name of a program in the member’s own header',
      writeZip([{ name: 'nice.txt', bytes: exe, ownName: 'evil.exe' }]),
    ],
    [
      'has a member that its directory does not name',
      writeZip([
        { name: 'nice.txt', bytes: 'x' },
        { name: 'evil.exe', bytes: exe, hidden: true },
      ]),
    ],
    [
      'counts fewer members than it has',
      writeZip(
        [
          { name: 'nice.txt', bytes: 'x' },
          { name: 'evil.exe', bytes: exe },
        ],
        { entries: 1 },
      ),
    ],
    ['counts more', writeZip([{ name: 'evil.exe', bytes: exe }], { entries: 2 })],
    ['has a member where none is', writeZip([{ name: 'evil.exe', bytes: exe, offset: 7 }])],
    ['has a member beyond its end', writeZip([{ name: 'evil.exe', bytes: exe, packedBytes: 100_000 }])],
    [
      'has sizes that need ZIP64 and are not there',
      writeZip([{ name: 'evil.exe', bytes: exe, packedBytes: 0xffffffff, sizeBytes: 0xffffffff }]),
    ],
    ['has an offset that needs ZIP64', writeZip([{ name: 'evil.exe', bytes: exe, offset: 0xffffffff }])],
    [
      'points to a ZIP64 record that is not there',
      writeZip([{ name: 'a', bytes: `PK\x06\x07${'\xff'.repeat(16)}`, stored: true }], { entries: 0xffff }),
    ],
    ['goes on behind its end', Buffer.concat([zipped('evil.exe', exe), Buffer.from('more')])],
    ['is cut off', zipped('evil.exe', exe).subarray(0, -5)],
    [
      'has two members in one place',
      writeZip([
        { name: 'a.txt', bytes: exe },
        { name: 'evil.exe', bytes: exe, offset: 0 },
      ]),
    ],
  ])('is damaged where it %s', async (_name, bytes) => {
    expect((await open('a.zip', bytes))[0]).toMatchObject({ types: ['archive'], notInspected: 'damaged' })
  })

  it('shows both names of a member that has two', async () => {
    const list = await open('a.zip', writeZip([{ name: 'nice.txt', bytes: exe, ownName: 'evil.exe' }]))
    expect(names(list)).toEqual(['nice.txt', 'evil.exe'])
  })

  it('says that a member is damaged that cannot be unpacked', async () => {
    const bytes = writeZip([{ name: 'a.txt', bytes: Buffer.from('no deflate'), stored: true, method: 8 }])
    expect((await open('a.zip', bytes))[1]).toMatchObject({ notInspected: 'damaged' })
  })

  it('knows the type of a member that is damaged further on', async () => {
    const packed = deflateRawSync(Buffer.concat([exe, noise]))
    const bytes = writeZip([{ name: 'a.txt', bytes: packed.subarray(0, 3000), stored: true, method: 8 }])
    expect((await open('a.zip', bytes))[1]).toMatchObject({ types: ['executable'], notInspected: 'damaged' })
  })

  it('says that a gzip file is damaged whose two names differ in kind', async () => {
    const named = Buffer.concat([
      gzipSync('x').subarray(0, 10),
      Buffer.from('nice.txt\0'),
      gzipSync('x').subarray(10),
    ])
    named[3] = 8
    expect(await open('evil.js.gz', named)).toMatchObject([{ notInspected: 'damaged' }, { name: 'evil.js' }])
  })

  it('ends a tar archive where a member is longer than it', async () => {
    const list = await open('a.tar', writeTar([{ name: 'evil.exe', bytes: exe, sizeBytes: 8 ** 10 }]))
    expect(list[1]).toMatchObject({ types: ['executable'], notInspected: 'damaged' })
  })
})

describe('encryption', () => {
  const rar4 = (type: number, flags: number) => {
    const block = Buffer.from([0, 0, type, flags & 0xff, flags >> 8, 13, 0, 0, 0, 0, 0, 0, 0])
    const main = Buffer.from([0, 0, 0x73, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0])
    return Buffer.concat([Buffer.from('Rar!\x1a\x07\x00', 'latin1'), main, block, Buffer.alloc(20)])
  }
  const rar5 = (...blocks: readonly number[][]) =>
    Buffer.concat([
      Buffer.from('Rar!\x1a\x07\x01\x00', 'latin1'),
      ...blocks.map((block) => Buffer.from([0, 0, 0, 0, block.length, ...block])),
      Buffer.alloc(20),
    ])
  const sevenZip = (header: Buffer) => {
    const start = Buffer.alloc(32)
    Buffer.from('377abcaf271c0004', 'hex').copy(start)
    start.writeBigUInt64LE(5n, 12)
    start.writeBigUInt64LE(BigInt(header.length), 20)
    return Buffer.concat([start, Buffer.from('data.'), header])
  }

  it.each<[string, string, Buffer]>([
    [
      'a ZIP file with one encrypted member',
      'a.zip',
      writeZip([
        { name: 'a.txt', bytes: 'x' },
        { name: 'b.txt', bytes: 'x', flags: 1 },
      ]),
    ],
    ['a ZIP file with strong encryption', 'a.zip', writeZip([{ name: 'a.txt', bytes: 'x', flags: 0x41 }])],
    ['a RAR 4 archive with an encrypted file', 'a.rar', rar4(0x74, 0x8004)],
    ['a RAR 4 archive with encrypted headers', 'a.rar', rar4(0x73, 0x80)],
    ['a RAR 5 archive with encrypted headers', 'a.rar', rar5([4, 0, 0, 0])],
    ['a RAR 5 archive with an encrypted file', 'a.rar', rar5([1, 0, 0], [2, 1, 3, 9, 2, 1, 0])],
    ['a 7z archive with AES', 'a.7z', sevenZip(Buffer.from('01042406f10701', 'hex'))],
  ])('is seen in %s', async (_name, name, bytes) => {
    expect((await open(name, bytes))[0]).toMatchObject({
      types: ['archive', 'encryptedArchive'],
      notInspected: 'encrypted',
    })
  })

  it.each<[string, Buffer]>([
    ['RAR 4', rar4(0x74, 0x8000)],
    ['RAR 5', rar5([1, 0, 0], [2, 1, 3, 9, 2, 5, 0])],
    ['7z', sevenZip(Buffer.from('010424030101', 'hex'))],
  ])('is not seen in %s without it', async (_name, bytes) => {
    expect((await open('a', bytes))[0]).toMatchObject({ types: ['archive'], notInspected: 'unsupported' })
  })

  it('hides what an encrypted member is, but not its name', async () => {
    const list = await open('a.zip', writeZip([{ name: 'evil.exe', bytes: exe, flags: 1 }]))
    expect(list[1]).toMatchObject({ name: 'evil.exe', types: [], notInspected: 'encrypted' })
  })
})

describe('Office documents', () => {
  const types = { name: '[Content_Types].xml', bytes: '<Types/>' }
  const body = { name: 'word/document.xml', bytes: '<w:document/>' }
  const openDocument = { name: 'mimetype', bytes: 'application/vnd.oasis.opendocument.text', stored: true }

  it.each<[string, Buffer, readonly string[], Attachment['notInspected']]>([
    ['a document of Office Open XML', writeZip([types, body]), ['office'], null],
    [
      'one with macros',
      writeZip([types, body, { name: 'word/vbaProject.bin', bytes: writeCompoundFile(['VBA']) }]),
      ['office', 'officeWithMacros'],
      null,
    ],
    ['an OpenDocument text', writeZip([openDocument, { name: 'content.xml', bytes: 'x' }]), ['office'], null],
    [
      'one with macros of its own',
      writeZip([openDocument, { name: 'Basic/Standard/Module1.xml', bytes: 'x' }]),
      ['office', 'officeWithMacros'],
      null,
    ],
    ['an older Word document', writeCompoundFile(['WordDocument', '1Table']), ['office'], null],
    ['an older workbook', writeCompoundFile(['Workbook']), ['office'], null],
    ['an older presentation', writeCompoundFile(['Current User', 'PowerPoint Document']), ['office'], null],
    [
      'a Word document with macros',
      writeCompoundFile(['WordDocument', 'a', 'b', 'Macros', 'VBA']),
      ['office', 'officeWithMacros'],
      null,
    ],
    [
      'a workbook with macros',
      writeCompoundFile(['Workbook', '_VBA_PROJECT_CUR']),
      ['office', 'officeWithMacros'],
      null,
    ],
    [
      'an encrypted document',
      writeCompoundFile(['EncryptionInfo', 'EncryptedPackage']),
      ['encryptedArchive', 'office'],
      'encrypted',
    ],
    [
      'a document with a file in it',
      writeCompoundFile(['WordDocument', '\x01Ole10Native']),
      ['office'],
      'unsupported',
    ],
    ['a message of Outlook', writeCompoundFile(['__properties_version1.0']), [], 'unsupported'],
    ['an installer', writeCompoundFile(['a'], '84100c0000000000c000000000000046'), ['executable'], null],
    [
      'a compound file that is cut off',
      writeCompoundFile(['WordDocument']).subarray(0, 600),
      ['office'],
      'damaged',
    ],
    ['a compound file whose directory runs in a circle', circular(), ['office'], null],
    [
      'a Java archive',
      writeZip([{ name: 'META-INF/MANIFEST.MF', bytes: 'x' }]),
      ['archive', 'executable'],
      null,
    ],
  ])('%s is known', async (_name, bytes, expected, notInspected) => {
    expect((await open('a.bin', bytes))[0]).toMatchObject({ types: expected, notInspected })
  })

  it('show of their members only what does not belong there', async () => {
    const embedded = { name: 'word/embeddings/oleObject1.bin', bytes: writeCompoundFile(['\x01Ole10Native']) }
    const list = await open(
      'a.docx',
      writeZip([
        types,
        body,
        { name: 'word/evil.js', bytes: 'x' },
        { name: 'evil.exe', bytes: exe },
        embedded,
      ]),
    )
    expect(names(list)).toEqual(['evil.js', 'evil.exe', 'oleObject1.bin'])
  })
})

function circular(): Buffer {
  const bytes = writeCompoundFile(['WordDocument'])
  bytes.writeUInt32LE(1, 512 + 4)
  return bytes
}

describe('limits', () => {
  it('opens four archives in each other, and says that a fifth is too deep', async () => {
    const nested = (depth: number): Buffer =>
      depth === 0 ? exe : zipped(depth === 1 ? 'evil.exe' : 'a.zip', nested(depth - 1))
    expect((await open('a.zip', nested(4))).at(-1)).toMatchObject({ name: 'evil.exe', notInspected: null })
    expect((await open('a.zip', nested(5))).at(-1)).toMatchObject({ name: 'a.zip', notInspected: 'tooDeep' })
  })

  it('does not unpack what is a hundred times its size', async () => {
    const list = await open('a.zip', zipped('a.txt', zeros(10)))
    expect(list[1]).toMatchObject({ name: 'a.txt', notInspected: 'tooLarge', sizeBytes: zeros(10).length })
    expect((await open('a.gz', gzipSync(zeros(10))))[1]).toMatchObject({ notInspected: 'tooLarge' })
  })

  it('knows the type of what it does not unpack', async () => {
    const list = await open('a.zip', zipped('a.txt', Buffer.concat([exe, zeros(10)])))
    expect(list[1]).toMatchObject({ types: ['executable'], notInspected: 'tooLarge' })
  })

  it('does not look at ratios of small files', async () => {
    expect((await open('a.zip', zipped('a.txt', zeros(1))))[1]).toMatchObject({ notInspected: null })
  })

  it('believes no declared size', async () => {
    const bytes = writeZip([
      { name: 'a.txt', bytes: zeros(10), sizeBytes: 5 },
      { name: 'b.txt', bytes: 'abc', sizeBytes: 2 ** 31 },
    ])
    expect(await open('a.zip', bytes)).toMatchObject([
      {},
      { notInspected: 'tooLarge' },
      { notInspected: null, sizeBytes: 3 },
    ])
  })

  it('unpacks so much in all', async () => {
    const member = (name: string) => ({ name, bytes: Buffer.alloc(600, 'some text') })
    const list = await open('a.zip', writeZip([member('a'), member('b'), member('c')]), {
      inflatedBytes: 1500,
    })
    expect(list.map((each) => each.notInspected)).toEqual([null, null, null, 'tooLarge'])
  })

  it('ends a bomb of archives in archives soon', async () => {
    const layer = (inner: Buffer) =>
      writeZip(Array.from({ length: 16 }, (_, index) => ({ name: `${index}.zip`, bytes: inner })))
    const bomb = layer(layer(layer(layer(layer(zipped('a', zeros(4)))))))
    const startedAt = performance.now()
    const list = await open('42.zip', bomb)
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(list.some((each) => each.notInspected === 'tooDeep' || each.notInspected === 'tooMany')).toBe(true)
    expect(list.length).toBeLessThanOrEqual(10_001)
  })

  it('ends a bomb of members in one place soon', async () => {
    const kernel = { name: 'a', bytes: zeros(16) }
    const others = Array.from({ length: 5000 }, (_, index) => ({
      name: `${index}`,
      offset: 0,
      packedBytes: 16_000,
    }))
    const startedAt = performance.now()
    const [archive] = await open('a.zip', writeZip([kernel, ...others]))
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(archive).toMatchObject({ notInspected: 'damaged' })
  })

  it('ends a bomb of archives in one place soon', async () => {
    const inner = {
      name: 'a.zip',
      bytes: writeZip([{ name: 'a', bytes: zeros(15), stored: true }]),
      stored: true,
    }
    const place = { offset: 0, packedBytes: inner.bytes.length, stored: true }
    const others = Array.from({ length: 5000 }, (_, index) => ({ ...place, name: `${index}.zip` }))
    const startedAt = performance.now()
    const list = await open('a.zip', writeZip([inner, ...others]))
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(list.filter((each) => each.notInspected === 'tooLarge').length).toBeGreaterThan(4000)
  })

  it('lists 10,000 of 65,535 members', async () => {
    const many = writeZip(
      Array.from({ length: 65_535 }, (_, index) => ({ name: `${index}.txt`, stored: true })),
    )
    const startedAt = performance.now()
    const list = await open('a.zip', many)
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(list[0]).toMatchObject({ notInspected: 'tooMany' })
    expect(list).toHaveLength(10_001)
  })

  it('lists so many members of all archives together', async () => {
    const archive = writeTar([
      { name: 'a', bytes: '' },
      { name: 'b', bytes: '' },
    ])
    const list = await open(
      'a.tar',
      writeTar([
        { name: '1.tar', bytes: archive },
        { name: '2.tar', bytes: archive },
      ]),
      { archiveMembers: 4 },
    )
    expect(names(list)).toEqual(['1.tar', '1.tar > a', '1.tar > b', '2.tar'])
    expect(list.at(-1)).toMatchObject({ notInspected: 'tooMany' })
  })
})

describe('whatever comes', () => {
  const samples = [
    writeZip(
      [
        { name: 'a.txt', bytes: 'x' },
        { name: 'b.zip', bytes: zipped('c.exe', exe) },
      ],
      { comment: 'x' },
    ),
    writeCompoundFile(['WordDocument', 'VBA', 'a', 'b', 'c']),
    writeTar([
      { name: 'a.txt', bytes: 'x' },
      { name: 'b.zip', bytes: zipped('c.exe', exe) },
    ]),
    gzipSync(writeTar([{ name: 'a', bytes: 'b' }])),
    Buffer.concat([Buffer.from('Rar!\x1a\x07\x01\x00', 'latin1'), Buffer.alloc(40, 3)]),
    Buffer.concat([Buffer.from('377abcaf271c0004', 'hex'), Buffer.alloc(60)]),
  ]

  it('a mutilated file is opened without an error', async () => {
    const change = fc.record({ at: fc.nat(), cut: fc.nat(8), put: fc.uint8Array({ maxLength: 8 }) })
    const mutation = fc.tuple(fc.constantFrom(...samples), fc.array(change, { maxLength: 4 }))
    await fc.assert(
      fc.asyncProperty(mutation, async ([sample, changes]) => {
        let bytes = sample
        for (const { at, cut, put } of changes) {
          const start = at % bytes.length || 0
          bytes = Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + cut)])
        }
        const list = await open('a.bin', bytes)
        expect(list.every((each) => Number.isFinite(each.sizeBytes))).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })
})
