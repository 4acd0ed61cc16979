/**
 * How a command gets a secret: from the terminal, without echo, from standard input, or from a file; never from an
 * argument, which every user of the machine could read.
 */
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { type Readable, Writable } from 'node:stream'
import { decodeUtf8, reasonOf } from '../config/secret-reader.ts'

export type Input = Readable & { readonly isTTY?: boolean }

/** Far more than a secret has. */
const longestBytes = 8192

/** Asked for twice, as nobody sees what is typed; the line break that `echo` puts at the end of a line is no part of it. */
export function readSecret(input: Input, prompt: (text: string) => void): Promise<string> {
  return input.isTTY ? askTwice(input, prompt) : readLine(input)
}

export async function readSecretFile(file: string): Promise<string> {
  try {
    // Editors end a file with a line break.
    return withoutBreak(decodeUtf8(await readFile(file)))
  } catch (cause) {
    throw new Error(`The password cannot be read from ${file}: ${reasonOf(cause)}`, { cause })
  }
}

async function readLine(input: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk as Buffer | string))
    length += chunks.at(-1)!.length
    if (length > longestBytes) break
  }
  return withoutBreak(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
}

const withoutBreak = (text: string): string => text.replace(/\r?\n$/, '')

async function askTwice(input: Input, prompt: (text: string) => void): Promise<string> {
  const password = await ask(input, () => prompt('Password: '))
  const again = await ask(input, () => prompt('\nAgain: '))
  prompt('\n')
  if (password !== again) throw new Error('The two passwords differ')
  return password
}

/** Readline edits the line as in a shell, and writes its echo to nowhere. */
function ask(input: Input, prompt: () => void): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input, output: nowhere, terminal: true, historySize: 0 })
  prompt()
  return new Promise((resolve, reject) => {
    terminal.once('line', (line) => {
      resolve(line)
      terminal.close()
    })
    // Ctrl-C and Ctrl-D; after a line it is too late to reject.
    terminal.once('close', () => reject(new Error('\nNo password was given')))
  })
}
