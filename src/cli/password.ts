/**
 * `relay password`: the hash of a password, for `access.users`. The password comes from the terminal, without
 * echo, or from standard input.
 */
import type { Command } from 'commander'
import { hashPassword } from '../smtp/password.ts'
import { type Input, readSecret } from './secret-input.ts'

/** As much as AUTH takes in one line. */
const longestPassword = 512

export function registerPassword(program: Command, input: Input = process.stdin): void {
  program
    .command('password')
    .description('print the hash of a password, for access.users; reads the terminal, or standard input')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const { writeOut, writeErr } = command.configureOutput()
      const password = await readSecret(input, writeErr!)
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
