/** Runs one command as main.ts does, and reads along. */
import { Command, CommanderError } from 'commander'

export interface Run {
  readonly out: string
  readonly err: string
  /** As the process would end: 2 is wrong usage. */
  readonly code: number
}

export async function runCommand(
  register: (program: Command) => void,
  args: readonly string[],
): Promise<Run> {
  let out = ''
  let err = ''
  const program = new Command('relay')
    .option('--config <file>')
    .exitOverride()
    .configureOutput({ writeOut: (text) => (out += text), writeErr: (text) => (err += text) })
  register(program)
  for (const command of program.commands) command.exitOverride()
  const before = process.exitCode
  process.exitCode = undefined
  try {
    await program.parseAsync(args, { from: 'user' })
    return { out, err, code: Number(process.exitCode ?? 0) }
  } catch (error) {
    if (error instanceof CommanderError) return { out, err, code: error.exitCode === 0 ? 0 : 2 }
    return { out, err: `${err}${(error as Error).message}\n`, code: 1 }
  } finally {
    process.exitCode = before
  }
}
