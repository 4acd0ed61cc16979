import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newMessageId } from '../../src/message-id.ts'
import { QueueFull } from '../../src/queue/queue.ts'
import { BodyWriter, MemoryBudget } from '../../src/smtp/body-writer.ts'
import { FaultyQueue } from '../support/faulty-queue.ts'
import { newItem, t0 } from '../support/queue-fixtures.ts'

const KB = 1024
const messageId = newMessageId(t0)

let queue: FaultyQueue
beforeEach(async () => {
  queue = await FaultyQueue.open({ maxBytes: 4 * KB * KB })
})
afterEach(() => queue.destroy())

/** Octets of which no two places look alike. */
function octets(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    bytes[i] = state >> 16
  }
  return bytes
}

async function writeAll(writer: BodyWriter, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) await writer.write(chunk)
}

async function storedAs(writer: BodyWriter): Promise<Buffer> {
  await queue.put({ ...newItem({}, { id: messageId }), body: writer.finish() }, { now: t0 })
  const chunks: Buffer[] = []
  for await (const chunk of queue.body(messageId)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('what arrives is what is stored', () => {
  it.each([
    ['nothing', [], 'inline'],
    ['one chunk', [10], 'inline'],
    ['many chunks', [10, 0, 20, 3000], 'inline'],
    ['256 KB', [200 * KB, 56 * KB], 'inline'],
    ['256 KB and an octet', [200 * KB, 56 * KB, 1], 'staged'],
    ['more, in one chunk', [700 * KB + 7], 'staged'],
    ['more, in pieces', [100 * KB, 100 * KB, 300 * KB, 10, 100 * KB], 'staged'],
  ] as const)('%s', async (_name, sizes, kind) => {
    const budget = new MemoryBudget(KB * KB)
    const writer = new BodyWriter(messageId, { queue, budget })
    const chunks = sizes.map((size, n) => octets(size, n + 1))
    await writeAll(writer, chunks)
    const whole = Buffer.concat(chunks)
    expect(writer.sizeBytes).toBe(whole.length)
    expect(writer.finish().kind).toBe(kind)
    expect((await storedAs(writer)).equals(whole)).toBe(true)
    await writer.release()
    expect(budget.usedBytes).toBe(0)
  })
})

describe('memory', () => {
  it('is counted while a body is in it', async () => {
    const budget = new MemoryBudget(KB * KB)
    const writer = new BodyWriter(messageId, { queue, budget })
    await writeAll(writer, [octets(1000), octets(500)])
    expect(budget.usedBytes).toBe(1500)
    writer.finish()
    expect(budget.usedBytes).toBe(1500)
    await writer.release()
    expect(budget.usedBytes).toBe(0)
  })

  it('that is not to be had sends a small body to the store, whole', async () => {
    const budget = new MemoryBudget(1000)
    const [first, second] = [octets(600), octets(600, 2)]
    const writer = new BodyWriter(messageId, { queue, budget })
    await writeAll(writer, [first, second])
    expect(budget.usedBytes).toBe(0)
    expect(writer.finish().kind).toBe('staged')
    expect((await storedAs(writer)).equals(Buffer.concat([first, second]))).toBe(true)
    await writer.release()
    expect(budget.usedBytes).toBe(0)
  })

  it('is not taken where the first chunk does not fit, and is left to others', async () => {
    const budget = new MemoryBudget(1000)
    const large = new BodyWriter(messageId, { queue, budget })
    await large.write(octets(2000))
    expect(budget.usedBytes).toBe(0)
    expect(budget.take(1000)).toBe(true)
    await large.release()
    expect(budget.usedBytes).toBe(1000)
  })

  it('comes back where the store refuses the body', async () => {
    const budget = new MemoryBudget(KB * KB)
    const writer = new BodyWriter(messageId, { queue, budget })
    await writer.write(octets(200 * KB))
    queue.fail('append', new QueueFull('no room'))
    await expect(writer.write(octets(200 * KB))).rejects.toThrow(QueueFull)
    await writer.release()
    expect(budget.usedBytes).toBe(0)
  })
})

it('gives back the room of a body that no message took', async () => {
  const budget = new MemoryBudget(KB)
  const size = 3 * KB * KB
  for (let i = 0; i < 3; i++) {
    const writer = new BodyWriter(newMessageId(t0 + i), { queue, budget })
    await writer.write(octets(size))
    await writer.release()
  }
})

it('leaves a body alone that a message took', async () => {
  const writer = new BodyWriter(messageId, { queue, budget: new MemoryBudget(KB) })
  const bytes = octets(300 * KB)
  await writer.write(bytes)
  await storedAs(writer)
  await writer.release()
  const chunks: Buffer[] = []
  for await (const chunk of queue.body(messageId)) chunks.push(chunk)
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
})
