import { describe, expect, it } from 'vitest'
import { Content } from '../../src/smtp/content.ts'

async function readAll(content: Content): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  for await (const piece of content) pieces.push(piece)
  return pieces
}

const nothing = Buffer.alloc(0)
const go = () => {}

/** Gives chunks as a parser does, the next one when it may; resolves when all were taken. */
async function give(content: Content, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) await new Promise<void>((resolve) => content.push(chunk, resolve))
}

describe('Content', () => {
  it('gathers crumbs', async () => {
    const content = new Content()
    const reading = readAll(content)
    for (let i = 0; i < 40_000; i++) await give(content, [Buffer.from('x')])
    content.end(nothing)
    const pieces = await reading
    expect(Buffer.concat(pieces).length).toBe(40_000)
    expect(pieces.length).toBeLessThan(10)
  })

  it('gives a message that came in one piece as it came', async () => {
    const content = new Content()
    const message = Buffer.from('Subject: x\r\n')
    content.end(message)
    expect(await readAll(content)).toEqual([message])
    expect(content.ended).toBe(true)
  })

  it('gives no piece for what was empty', async () => {
    const content = new Content()
    content.push(nothing, go)
    content.end(nothing)
    expect(await readAll(content)).toEqual([])
  })

  it('lets the sender wait for a slow reader, and takes pieces of bounded size', async () => {
    const content = new Content()
    let given = 0
    const giving = (async () => {
      for (; given < 30; given++) await give(content, [Buffer.alloc(30_000, 'x')])
      content.end(nothing)
    })()
    await new Promise(setImmediate)
    expect(content.paused).toBe(true)
    expect(given).toBeLessThan(5)
    const pieces = await readAll(content)
    await giving
    expect(Buffer.concat(pieces).length).toBe(900_000)
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(128 * 1024)
  })

  it('ends with an error where the connection breaks, and lets go of who waits to bring more', async () => {
    const content = new Content()
    const giving = give(content, [Buffer.alloc(70_000), Buffer.alloc(1)])
    const reading = readAll(content)
    content.cutOff()
    await expect(reading).rejects.toThrow('closed before')
    await giving
  })

  it('is whole where the connection breaks behind the final dot', async () => {
    const content = new Content()
    content.end(Buffer.from('whole'))
    content.cutOff()
    expect(Buffer.concat(await readAll(content)).toString()).toBe('whole')
  })

  it.each([
    [100, 'ended'],
    [99, 'too-much'],
  ])('discards %i octets of a hundred: %s', async (limit, outcome) => {
    const content = new Content()
    content.end(Buffer.alloc(100))
    expect(await content.discard(limit)).toBe(outcome)
  })

  it('says that the connection broke while it was discarded', async () => {
    const content = new Content()
    const discarding = content.discard(1000)
    content.cutOff()
    expect(await discarding).toBe('failed')
  })
})
