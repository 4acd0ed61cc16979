import { Writable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DotStuffing, transmit } from '../../src/delivery/message-data.ts'

/** Mail of the octets that matter, in pieces cut anywhere. */
const octets = fc.array(fc.constantFrom('\r', '\n', '.', 'x', '\r\n', '\r\n.'), { maxLength: 60 })
const cuts = fc.array(fc.nat(120), { maxLength: 10 })

function stuffed(body: string, at: readonly number[] = []): string {
  const stuffing = new DotStuffing()
  const bounds = [0, ...[...at].sort((a, b) => a - b), body.length]
  const pieces = bounds.slice(1).map((end, index) => Buffer.from(body.slice(bounds[index], end)))
  return Buffer.concat([...pieces.map((piece) => stuffing.stuff(piece)), stuffing.end()]).toString()
}

/** What a host reads: up to the first dot alone in its line, with the added dots taken away. */
function received(data: string): { body: string; rest: string } {
  const end = `\r\n${data}`.indexOf('\r\n.\r\n')
  const lines = `\r\n${data}`.slice(0, end + 2).slice(2)
  return { body: lines.replace(/(^|\r\n)\./g, '$1'), rest: `\r\n${data}`.slice(end + 5) }
}

it('brings every body with CRLF line ends through as it is', () => {
  fc.assert(
    fc.property(octets, cuts, (parts, at) => {
      const body = `${parts.join('').replace(/\r\n|\r|\n/g, '\r\n')}`
      const whole = body === '' || body.endsWith('\r\n') ? body : `${body}\r\n`
      expect(received(stuffed(body, at))).toEqual({ body: whole, rest: '' })
    }),
  )
})

it('ends once, whatever the body holds, and leaves no bare CR or LF', () => {
  fc.assert(
    fc.property(octets, cuts, (parts, at) => {
      const data = stuffed(parts.join(''), at)
      expect(data).not.toMatch(/\r(?!\n)|(?<!\r)\n/)
      const repaired = parts.join('').replace(/\r\n|\r|\n/g, '\r\n')
      const whole = repaired === '' || repaired.endsWith('\r\n') ? repaired : `${repaired}\r\n`
      expect(received(data)).toEqual({ body: whole, rest: '' })
    }),
  )
})

it.each([
  ['', '.\r\n'],
  ['a', 'a\r\n.\r\n'],
  ['a\r\n', 'a\r\n.\r\n'],
  ['a\r', 'a\r\n.\r\n'],
  ['.', '..\r\n.\r\n'],
  ['a\r\n.b\r\n', 'a\r\n..b\r\n.\r\n'],
  ['a\n.\nb', 'a\r\n..\r\nb\r\n.\r\n'],
  ['a\r.\rb', 'a\r\n..\r\nb\r\n.\r\n'],
])('writes %j as %j', (body, data) => {
  expect(stuffed(body)).toBe(data)
})

it('copies nothing where there is nothing to add', () => {
  const piece = Buffer.from('a.\r\nb\r\n')
  expect(new DotStuffing().stuff(piece)).toBe(piece)
})

it('hands the dot over together with the last piece', async () => {
  const writes: string[] = []
  const socket = new Writable({
    writev: (chunks, done) => {
      writes.push(chunks.map(({ chunk }) => String(chunk)).join(''))
      done()
    },
  })
  const body = async function* () {
    yield Buffer.from('one\r\n')
    yield Buffer.from('two\r\n')
  }
  const steps: string[] = []
  const onDot = () => steps.push(`dot after ${writes.length}`)
  const onProgress = () => steps.push(`progress ${writes.length}`)
  await transmit(socket, body(), { sizeBytes: 10, onProgress, onDot })
  expect(writes).toEqual(['one\r\n', 'two\r\n.\r\n'])
  expect(steps).toEqual(['progress 1', 'dot after 1'])
})

it('adds nothing but dots and line ends, by the definition octet by octet', () => {
  fc.assert(
    fc.property(octets, cuts, (parts, at) => {
      const body = parts.join('')
      let slow = ''
      let last = '\n'
      for (const octet of body) {
        if (last === '\r' && octet !== '\n') slow += '\n'
        if (octet === '\n' && last !== '\r') slow += '\r'
        if (octet === '.' && (last === '\n' || last === '\r')) slow += '.'
        slow += octet
        last = octet
      }
      const end = last === '\n' ? '.\r\n' : last === '\r' ? '\n.\r\n' : '\r\n.\r\n'
      expect(stuffed(body, at)).toBe(slow + end)
    }),
    { numRuns: 2000 },
  )
})
