import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Content } from '../../src/smtp/content.ts'

async function readAll(content: Content): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  for await (const piece of content) pieces.push(piece)
  return pieces
}

describe('Content', () => {
  it('gathers crumbs', async () => {
    const source = new PassThrough()
    const reading = readAll(new Content(source))
    for (let i = 0; i < 40_000; i++) source.write('x')
    source.end()
    const pieces = await reading
    expect(Buffer.concat(pieces).length).toBe(40_000)
    expect(pieces.length).toBeLessThan(10)
  })

  it('gives a message that came in one piece as it came', async () => {
    const source = new PassThrough()
    const content = new Content(source)
    const message = Buffer.from('Subject: x\r\n')
    source.end(message)
    const [piece] = await readAll(content)
    expect(piece!.buffer).toBe(message.buffer)
    expect(content.ended).toBe(true)
  })

  it('lets the sender wait for a slow reader, and takes pieces of bounded size', async () => {
    const source = new PassThrough()
    const content = new Content(source)
    const chunk = Buffer.alloc(30_000, 'x')
    let accepted = 0
    while (source.write(chunk) && accepted < 1000) accepted++
    await new Promise(setImmediate)
    while (source.write(chunk) && accepted < 1000) accepted++
    expect(accepted).toBeLessThan(10)
    source.end()
    const pieces = await readAll(content)
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(128 * 1024)
  })

  it('ends with an error where the source breaks', async () => {
    const source = new PassThrough()
    const reading = readAll(new Content(source))
    source.write('half')
    source.destroy()
    await expect(reading).rejects.toThrow('closed before')
  })

  it.each([
    [100, 'ended'],
    [99, 'too-much'],
  ])('discards %i octets of a hundred: %s', async (limit, outcome) => {
    const source = new PassThrough()
    const content = new Content(source)
    source.end(Buffer.alloc(100))
    expect(await content.discard(limit)).toBe(outcome)
  })

  it('says that a source broke while it was discarded', async () => {
    const source = new PassThrough()
    const content = new Content(source)
    const discarding = content.discard(1000)
    source.destroy()
    expect(await discarding).toBe('failed')
  })
})
