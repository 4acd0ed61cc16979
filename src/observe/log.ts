/**
 * The program log: JSON lines on standard output, written in the background. Fields named like secrets are
 * removed wherever they stand. The mail log is the same stream, its lines carry `event` (events.ts).
 */
import { type DestinationStream, type Logger, pino } from 'pino'
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

/**
 * The same log for lines whose fields are all named by us. Looking for secrets copies each line and costs
 * three times as much as writing it: the mail log, two lines a message, does not need it.
 */
export function withoutRedaction(log: Logger): Log {
  return log.child({}, { redact: [] })
}
