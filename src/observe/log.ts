/**
 * The program log: JSON lines on standard output, written in the background. Fields named like secrets are
 * removed wherever they stand. The mail log is the same stream, its lines carry `event` (events.ts).
 */
import { type DestinationStream, type Logger, pino } from 'pino'
import { isoInstant } from '../instant.ts'
import { StandardOutput } from './standard-output.ts'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

const secretFields = ['password', 'passwordHash', 'pass', 'auth', 'authorization', 'key']

export function createLog(options: { level: string; destination?: DestinationStream }): Logger {
  const log: Logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`]), remove: true },
    },
    options.destination ??
      new StandardOutput({ fd: 1, onLost: (lines) => log.warn({ lines }, 'Log lines could not be written') }),
  )
  return log
}

export type WriteLine = (level: 'info' | 'warn', line: object) => void

/**
 * The same log for lines whose fields are all named by us: the mail log, two lines a message. Nothing in them needs
 * to be removed, and one JSON.stringify costs less than pino, which goes from field to field.
 */
export function lineWriter(log: Logger): WriteLine {
  const destination = (log as unknown as Record<symbol, DestinationStream>)[pino.symbols.streamSym]!
  return function write(level, line) {
    if (!log.isLevelEnabled(level)) return
    const time = isoInstant(Date.now())
    destination.write(`{"level":"${level}","time":"${time}",${JSON.stringify(line).slice(1)}\n`)
  }
}
