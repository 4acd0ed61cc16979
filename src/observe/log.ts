/**
 * The program log: JSON lines on standard output, written in the background. Fields named like secrets are
 * removed wherever they stand. The mail log is the same stream, its lines carry `event` (events.ts).
 */
import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

const secretFields = ['password', 'passwordHash', 'pass', 'auth', 'authorization', 'key']

export function createLog(options: { level: string; destination?: DestinationStream }): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`]), remove: true },
    },
    options.destination ?? pino.destination({ dest: 1, sync: false, minLength: 0 }),
  )
}
