/**
 * The terminal as a screen of our own: the alternate one, without a cursor and without wrapping, drawn anew without flicker, also when its
 * size changes. However the program ends, the terminal is given back as it was.
 */
import type { ReadStream, WriteStream } from 'node:tty'
import type { ScreenLine } from './top-screen.ts'

const csi = '\u001b['
const enter = `${csi}?1049h${csi}?25l${csi}?7l`
const leave = `${csi}?7h${csi}?25h${csi}?1049l`
const styles = { plain: '', title: `${csi}1m`, alert: `${csi}31m` } as const
const plain = `${csi}0m`

type Input = Pick<ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'off' | 'pause' | 'resume'>
type Output = Pick<WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>

export class Screen {
  readonly #input: Input
  readonly #output: Output
  #redraw: () => void = () => {}
  #isOpen = false
  #isQuit = false
  #wake: () => void = () => {}

  constructor(input: Input, output: Output) {
    this.#input = input
    this.#output = output
  }

  /** Whether whoever looks wants to end. */
  get isQuit(): boolean {
    return this.#isQuit
  }

  /** `redraw` is called when the size changes. */
  open(redraw: () => void): void {
    this.#redraw = redraw
    this.#isOpen = true
    this.#output.write(enter)
    this.#output.on('resize', this.#resized)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, this.#quit)
    process.on('exit', this.#leave)
    if (!this.#input.isTTY) return
    this.#input.setRawMode(true)
    this.#input.on('data', this.#typed)
    this.#input.resume()
  }

  show(linesOf: (size: { width: number; height: number }) => readonly ScreenLine[]): void {
    const { columns: width, rows: height } = this.#output
    const lines = linesOf({ width, height }).slice(0, height)
    const drawn = lines.map(({ text, style }) => `${styles[style]}${text}${plain}${csi}K`)
    this.#output.write(`${csi}H${drawn.join('\r\n')}${csi}J`)
  }

  /** Until the time is over, or somebody wants to end. */
  wait(durationMs: number): Promise<void> {
    if (this.#isQuit) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  close(): void {
    if (!this.#isOpen) return
    this.#leave()
    this.#output.off('resize', this.#resized)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#quit)
    process.off('exit', this.#leave)
    if (!this.#input.isTTY) return
    this.#input.off('data', this.#typed)
    this.#input.pause()
  }

  readonly #resized = (): void => this.#redraw()

  readonly #quit = (): void => {
    this.#isQuit = true
    this.#wake()
  }

  /** In raw mode Ctrl-C is a character. */
  readonly #typed = (bytes: Buffer): void => {
    if (/[qQ\u0003]/.test(bytes.toString('latin1'))) this.#quit()
  }

  readonly #leave = (): void => {
    if (!this.#isOpen) return
    this.#isOpen = false
    if (this.#input.isTTY) this.#input.setRawMode(false)
    this.#output.write(leave)
  }
}
