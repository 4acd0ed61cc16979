/**
 * Runs a transcript against a server. One claim a file, in its first line; then line by line:
 *
 *   # the claim, and remarks
 *   listener: NAME      which listener of the suite is spoken to
 *   C: EHLO me          the client sends this line
 *   B: "a\r\nb"         the client sends these bytes, a JSON string, as they are
 *   S: 250 2.1.0 *      the server answers this line; `*` is anything
 *   S: ...              any number of lines, up to one that the next pattern matches
 *   TLS                 both sides shake hands
 *   END                 the server closes the connection
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SmtpClient } from './smtp-client.ts'

export interface Dialog {
  readonly file: string
  readonly claim: string
  readonly listener: string
  readonly steps: readonly string[]
}

export function readDialogs(directory: string): Dialog[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => parseDialog(file, readFileSync(join(directory, file), 'utf8')))
}

function parseDialog(file: string, text: string): Dialog {
  const lines = text.split('\n').map((line) => line.trimEnd())
  const claim = lines[0]?.replace(/^# /, '') ?? file
  const listener = lines.find((line) => line.startsWith('listener: '))?.slice('listener: '.length)
  if (listener === undefined) throw new Error(`${file} does not say which listener`)
  const steps = lines.filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('listener: '))
  return { file, claim, listener, steps }
}

/** Throws with the transcript so far where the server says something else. */
export async function runDialog(dialog: Dialog, options: { port: number; tls: boolean }): Promise<void> {
  const run = new Run(await SmtpClient.connect(options))
  try {
    for (const step of dialog.steps) await run.step(step)
    run.expectNothingUnread()
  } catch (error) {
    throw new Error(`${dialog.file}: ${(error as Error).message}\n\n${run.transcript.join('\n')}`)
  } finally {
    run.client.close()
  }
}

class Run {
  readonly client: SmtpClient
  readonly transcript: string[] = []
  /** Lines of the reply being read. */
  #lines: string[] = []
  #skipping = false

  constructor(client: SmtpClient) {
    this.client = client
  }

  async step(step: string): Promise<void> {
    const text = step.slice(3)
    if (step.startsWith('S: ')) return await this.#expect(text)
    this.expectNothingUnread()
    this.transcript.push(step)
    if (step.startsWith('C:')) this.client.send(`${text}\r\n`)
    else if (step.startsWith('B: ')) this.client.send(JSON.parse(text) as string)
    else if (step === 'TLS') await this.client.handshake()
    else if (step === 'END') await this.client.ended()
    else throw new Error(`not a step: ${step}`)
  }

  expectNothingUnread(): void {
    const unread = [...this.#lines, ...(this.client.unread === '' ? [] : [this.client.unread])]
    if (unread.length > 0) throw new Error(`the server said more than expected: ${unread.join(' / ')}`)
  }

  async #expect(pattern: string): Promise<void> {
    if (pattern === '...') {
      this.#skipping = true
      return
    }
    for (;;) {
      const line = await this.#nextLine()
      this.transcript.push(`S: ${line}`)
      if (matches(line, pattern)) break
      if (!this.#skipping || line === '') throw new Error(`expected ${JSON.stringify(pattern)}`)
    }
    this.#skipping = false
  }

  async #nextLine(): Promise<string> {
    if (this.#lines.length === 0) this.#lines = (await this.client.reply()).split('\n')
    return this.#lines.shift() ?? ''
  }
}

function matches(line: string, pattern: string): boolean {
  const expression = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${expression.join('.*')}$`).test(line)
}
