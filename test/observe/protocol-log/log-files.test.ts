import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Log } from '../../../src/observe/log.ts'
import { LogFiles, type LogFilesOptions } from '../../../src/observe/protocol-log/log-files.ts'
import { formatRecord } from '../../../src/observe/protocol-log/record.ts'
import { readProtocolLog } from '../../support/protocol-log-reader.ts'
import { TestClock } from '../../support/test-clock.ts'

const hourMs = 60 * 60_000
const start = Date.UTC(2026, 10, 21, 22, 59, 30)

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'relay-protocol-log-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

class Told {
  readonly lines: { text: string; lines?: number }[] = []
  readonly log = {
    warn: (fields: { lines?: number }, text: string) =>
      this.lines.push({ text, ...(fields.lines && { lines: fields.lines }) }),
  } as unknown as Log
}

function filesIn(directory: string, change: Partial<LogFilesOptions> = {}) {
  const clock = new TestClock(start)
  const told = new Told()
  const files = new LogFiles('send', {
    directory,
    maxFileBytes: 10 * 1024 ** 2,
    maxDirectoryBytes: 250 * 1024 ** 2,
    maxAgeMs: 30 * 24 * hourMs,
    clock,
    log: told.log,
    ...change,
  })
  onTestFinished(() => files.close())
  return { files, clock, told }
}

function line(number: number, data = 'NOOP'): string {
  return formatRecord({
    at: start,
    connector: 'Test',
    session: '0000000000000001',
    sequence: number,
    local: '127.0.0.1:1',
    remote: '127.0.0.1:25',
    event: '>',
    data,
    context: '',
  })
}

/** The numbers of the records, by file. */
function written(directory: string): Record<string, number[]> {
  const names = readdirSync(directory).filter((name) => name.endsWith('.LOG'))
  return Object.fromEntries(
    names.map((name) => {
      const { records } = readProtocolLog(readFileSync(join(directory, name), 'utf8'))
      return [name, records.map((record) => Number(record['sequence-number']))]
    }),
  )
}

describe('the files', () => {
  it('are not there before the first record, and then only for their owner', async () => {
    const directory = join(temporary(), 'protocol-logs', 'send')
    const { files } = filesIn(directory)
    await files.flush()
    expect(() => readdirSync(directory)).toThrow('ENOENT')
    files.write(line(0))
    await files.flush()
    expect(written(directory)).toEqual({ 'SEND2026112122-1.LOG': [0] })
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'SEND2026112122-1.LOG')).mode & 0o777).toBe(0o600)
  })

  it('are written in the background, without being asked', async () => {
    const directory = temporary()
    const { files } = filesIn(directory)
    files.write(line(0))
    await expect.poll(() => Object.values(written(directory))).toEqual([[0]])
  })

  it('begin anew each hour', async () => {
    const directory = temporary()
    const { files, clock } = filesIn(directory)
    for (const number of [0, 1, 2]) {
      files.write(line(number))
      await files.flush()
      clock.advance(20_000)
    }
    expect(written(directory)).toEqual({ 'SEND2026112122-1.LOG': [0, 1], 'SEND2026112123-1.LOG': [2] })
  })

  it('begin anew when the next piece would not fit', async () => {
    const directory = temporary()
    const { files } = filesIn(directory, { maxFileBytes: 1500 })
    for (let number = 0; number < 5; number++) {
      files.write(line(number, 'x'.repeat(500)))
      await files.flush()
    }
    expect(written(directory)).toEqual({
      'SEND2026112122-1.LOG': [0, 1],
      'SEND2026112122-2.LOG': [2, 3],
      'SEND2026112122-3.LOG': [4],
    })
    for (const name of readdirSync(directory))
      expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1500)
  })

  it('are each of one process', async () => {
    const directory = temporary()
    const one = filesIn(directory).files
    const other = filesIn(directory).files
    for (const number of [0, 1, 2, 3]) (number % 2 === 0 ? one : other).write(line(number))
    await Promise.all([one.flush(), other.flush()])
    expect(Object.values(written(directory)).sort()).toEqual([
      [0, 2],
      [1, 3],
    ])
  })

  it('go on with the next number after a restart', async () => {
    const directory = temporary()
    for (const number of [0, 1]) {
      const { files } = filesIn(directory)
      files.write(line(number))
      await files.close()
    }
    expect(written(directory)).toEqual({ 'SEND2026112122-1.LOG': [0], 'SEND2026112122-2.LOG': [1] })
  })

  it('are removed when they are too old, or too much together', async () => {
    const directory = temporary()
    const { files, clock } = filesIn(directory, {
      maxFileBytes: 1000,
      maxDirectoryBytes: 3000,
      maxAgeMs: 5 * hourMs,
    })
    writeFileSync(join(directory, 'notes.txt'), 'mine')
    const next = async (number: number) => {
      files.write(line(number, 'x'.repeat(500)))
      await files.flush()
      clock.advance(hourMs)
    }
    for (const number of [0, 1, 2, 3]) await next(number)
    expect(Object.values(written(directory))).toEqual([[1], [2], [3]])
    clock.advance(10 * hourMs)
    await next(4)
    expect(Object.values(written(directory))).toEqual([[4]])
    expect(readFileSync(join(directory, 'notes.txt'), 'utf8')).toBe('mine')
  })
})

describe('where the files cannot be written', () => {
  it('keeps the records, tells it once, and goes on when it can', async () => {
    const directory = join(temporary(), 'send')
    writeFileSync(directory, 'in the way')
    const { files, told } = filesIn(directory)
    for (const number of [0, 1, 2]) {
      files.write(line(number))
      await files.flush()
    }
    expect(told.lines).toEqual([{ text: expect.stringContaining('mail goes on') }])
    rmSync(directory)
    await files.flush()
    expect(written(directory)).toEqual({ 'SEND2026112122-1.LOG': [0, 1, 2] })
    expect(told.lines).toHaveLength(1)
  })

  it('keeps no more than its memory allows, and counts what it lost', async () => {
    const directory = join(temporary(), 'send')
    writeFileSync(directory, 'in the way')
    const { files, told } = filesIn(directory, { maxFileBytes: 100 * 1024 ** 2 })
    const megabyte = 'x'.repeat(1024 ** 2)
    for (let number = 0; number < 20; number++) files.write(line(number, megabyte))
    await files.flush()
    rmSync(directory)
    await files.flush()
    expect(written(directory)).toEqual({ 'SEND2026112122-1.LOG': [0, 1, 2, 3, 4, 5, 6] })
    expect(told.lines.slice(1)).toEqual([{ text: expect.any(String), lines: 13 }])
  })

  it('counts what is still unwritten at the end', async () => {
    const directory = join(temporary(), 'send')
    writeFileSync(directory, 'in the way')
    const { files, told } = filesIn(directory)
    files.write(line(0))
    await files.close()
    expect(told.lines.at(-1)).toMatchObject({ lines: 1 })
  })

  it('splits no record where the disk is full in the middle of one', async ({ skip }) => {
    const directory = smallDisk(256)
    if (directory === null) return skip('this process may not mount file systems')
    const { files, told } = filesIn(directory)
    writeFileSync(join(directory, 'filler'), Buffer.alloc(128 * 1024))
    const count = 400
    for (let number = 0; number < count; number++) files.write(line(number, 'x'.repeat(500)))
    await files.flush()
    expect(told.lines).toEqual([{ text: expect.any(String) }])
    rmSync(join(directory, 'filler'))
    await files.flush()
    expect(written(directory)).toEqual({ 'SEND2026112122-1.LOG': [...Array(count).keys()] })
    expect(told.lines).toHaveLength(1)
  })
})

/** A file system of its own; null where there are no rights to make one. */
function smallDisk(kibibytes: number): string | null {
  const directory = temporary()
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', directory])
  if (mounted.status !== 0) return null
  onTestFinished(() => void spawnSync('umount', ['-l', directory]))
  return directory
}
