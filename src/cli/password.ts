/**
 * `relay password`: the hash of a password, for `access.users`. The password comes from the terminal, without
 * echo, or from standard input; never from an argument, which every user of the machine could read.
 */
import { createInterface } from 'node:readline'
import { type Readable, Writable } from 'node:stream'
import type { Command } from 'commander'
import { hashPassword } from '../smtp/password.ts'

/** As much as AUTH takes in one line. */
const longestPassword = 512

type Input = Readable & { readonly isTTY?: boolean }

export function registerPassword(program: Command, input: Input = process.stdin): void {
  program
    .command('password')
    .description('print the hash of a password, for access.users; reads the terminal, or standard input')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const { writeOut, writeErr } = command.configureOutput()
      const password = input.isTTY ? await askTwice(input, writeErr!) : await readLine(input)
      const passwordHash = await hashPassword(checked(password))
      writeOut!(options.json ? `${JSON.stringify({ passwordHash })}\n` : `${passwordHash}\n`)
    })
}

function checked(password: string): string {
  if (password === '') throw new Error('Cannot hash an empty password')
  if (/[\0\r\n]/.test(password)) throw new Error('Cannot hash a password of several lines')
  if (password.length > longestPassword)
    throw new Error(`Cannot hash a password of more than ${longestPassword} characters`)
  return password
}

/** One line; the line break that `echo` or an editor puts at its end is no part of it. */
async function readLine(input: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk as Buffer | string))
    length += chunks.at(-1)!.length
    if (length > 4 * longestPassword + 2) break
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '')
}

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
