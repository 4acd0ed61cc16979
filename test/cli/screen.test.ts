import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Screen } from '../../src/cli/screen.ts'

/** What a terminal is to a program: bytes in and out, a size, and whether it sends lines or keys. */
class Terminal extends EventEmitter {
  readonly isTTY = true
  columns = 20
  rows = 3
  written = ''
  isRaw = false
  isRead = false

  write(text: string): boolean {
    this.written += text
    return true
  }
  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw
    return this
  }
  resume(): this {
    this.isRead = true
    return this
  }
  pause(): this {
    this.isRead = false
    return this
  }
}

let terminal: Terminal
let screen: Screen
let drawn: number

beforeEach(() => {
  terminal = new Terminal()
  screen = new Screen(terminal as never, terminal as never)
  drawn = 0
  screen.open(() => drawn++)
})
afterEach(() => screen.close())

const given = () => [
  terminal.isRaw,
  terminal.isRead,
  terminal.listenerCount('data'),
  terminal.listenerCount('resize'),
]

it('takes the alternate screen, and gives everything back', () => {
  expect(terminal.written).toContain('\u001b[?1049h\u001b[?25l')
  expect(given()).toEqual([true, true, 1, 1])
  const signals = process.listenerCount('SIGTERM')
  screen.close()
  screen.close()
  expect(terminal.written.match(/\u001b\[\?25h\u001b\[\?1049l/g)).toHaveLength(1)
  expect(given()).toEqual([false, false, 0, 0])
  expect(process.listenerCount('SIGTERM')).toBe(signals - 1)
})

it('draws lines over what was there, and no more than there is room for', () => {
  terminal.written = ''
  screen.show(({ width, height }) =>
    Array.from({ length: 5 }, (_, n) => ({
      text: `${n} of ${width}x${height}`,
      style: n === 0 ? 'title' : 'plain',
    })),
  )
  expect(terminal.written).toBe(
    [
      '\u001b[H\u001b[1m0 of 20x3\u001b[0m\u001b[K',
      '1 of 20x3\u001b[0m\u001b[K',
      '2 of 20x3\u001b[0m\u001b[K\u001b[J',
    ].join('\r\n'),
  )
})

it('is drawn anew when its size changes', () => {
  terminal.emit('resize')
  expect(drawn).toBe(1)
})

describe('whoever looks', () => {
  it.each(['q', 'Q', '\u0003'])('ends it with %j, at once', async (key) => {
    const waiting = screen.wait(60_000)
    terminal.emit('data', Buffer.from('x'))
    expect(screen.isQuit).toBe(false)
    terminal.emit('data', Buffer.from(key))
    await waiting
    expect(screen.isQuit).toBe(true)
    await screen.wait(60_000)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('ends it with %s', async (signal) => {
    const waiting = screen.wait(60_000)
    process.emit(signal)
    await waiting
    expect(screen.isQuit).toBe(true)
  })
})
