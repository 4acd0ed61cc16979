import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatLedgerEntry, type LedgerEntry, LedgerReader } from '../../src/lab/ledger.ts'
import { LineFile } from '../../src/lab/line-file.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-ledger-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const entry = (seq: number): LedgerEntry => ({
  run: 'r',
  seq,
  sizeBytes: 10,
  sha256: 'f',
  from: 'a@example.com',
  to: ['müller@example.org'],
  receivedAt: 1,
  messageId: null,
})

describe('LineFile', () => {
  it('writes the lines of one turn before it says so', async () => {
    const path = join(directory, 'lines')
    const file = new LineFile(path)
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      file.append('one', () => seen.push(readFileSync(path, 'utf8')))
      file.append('two', () => resolve())
    })
    expect(seen).toEqual(['one\ntwo\n'])
    file.close()
  })

  it('writes what is left when it is closed, and goes on after it at the next start', () => {
    const path = join(directory, 'lines')
    for (const line of ['one', 'two']) {
      const file = new LineFile(path)
      file.append(line)
      file.close()
    }
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
  })

  it('begins a new line after half a line', () => {
    const path = join(directory, 'lines')
    writeFileSync(path, 'one\nhal')
    const file = new LineFile(path)
    file.append('two')
    file.close()
    expect(readFileSync(path, 'utf8')).toBe('one\nhal\ntwo\n')
  })

  it.runIf(process.platform === 'linux')('says so where the disk is full', async () => {
    const file = new LineFile('/dev/full')
    const error = await new Promise<Error | null>((resolve) => file.append('one', resolve))
    expect(error).toMatchObject({ code: 'ENOSPC' })
    file.append('two')
    expect(() => file.close()).toThrow(/ENOSPC/)
  })
})

describe('LedgerReader', () => {
  it('reads on where it stopped, and a line only when it is whole', async () => {
    const path = join(directory, 'ledger')
    const reader = new LedgerReader(path)
    expect(await reader.read()).toEqual([])
    const [first, second] = [1, 2].map((seq) => `${formatLedgerEntry(entry(seq))}\n`) as [string, string]
    // Cut inside a character of two bytes.
    const cut = Buffer.from(second).indexOf('ü') + 1
    writeFileSync(path, Buffer.concat([Buffer.from(first), Buffer.from(second).subarray(0, cut)]))
    expect(await reader.read()).toEqual([entry(1)])
    expect(await reader.read()).toEqual([])
    appendFileSync(path, Buffer.from(second).subarray(cut))
    expect(await reader.read()).toEqual([entry(2)])
    await reader.close()
  })

  it('counts lines that are no entries and reads on', async () => {
    const path = join(directory, 'ledger')
    const bad = ['{"run":"r"', 'null', '17', '{"run":"r","seq":"1"}']
    writeFileSync(path, `${[...bad, formatLedgerEntry(entry(1))].join('\n')}\n`)
    const reader = new LedgerReader(path)
    expect(await reader.read()).toEqual([entry(1)])
    expect(reader.unreadable).toBe(bad.length)
    await reader.close()
  })
})
