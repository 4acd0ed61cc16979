/** Reads protocol logs as tools for Exchange's do: a record a line, CSV, the names of the fields from the header. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type LoggedRecord = Readonly<Record<string, string>>

export interface ReadLog {
  readonly header: readonly string[]
  readonly records: readonly LoggedRecord[]
}

/** Throws on what is no protocol log. */
export function readProtocolLog(text: string): ReadLog {
  const lines = text.split('\r\n')
  if (lines.pop() !== '') throw new Error('The last record has no end')
  const header = lines.filter((line) => line.startsWith('#'))
  const fields = header
    .find((line) => line.startsWith('#Fields: '))!
    .slice('#Fields: '.length)
    .split(',')
  const records = lines
    .filter((line) => !line.startsWith('#'))
    .map((line) => {
      const values = readCsvLine(line)
      if (values.length !== fields.length) throw new Error(`Not ${fields.length} fields: ${line}`)
      return Object.fromEntries(fields.map((field, index) => [field, values[index]!]))
    })
  return { header, records }
}

/** All files of one direction, in the order of their names. */
export function readProtocolLogs(dataDir: string, direction: 'receive' | 'send'): ReadLog {
  const directory = join(dataDir, 'protocol-logs', direction)
  const logs = readdirSync(directory)
    .sort()
    .map((name) => readProtocolLog(readFileSync(join(directory, name), 'utf8')))
  return { header: logs[0]!.header, records: logs.flatMap(({ records }) => records) }
}

/** `event data context`, as people read them. */
export function dialogueOf(records: readonly LoggedRecord[]): string[] {
  return records.map(({ event, data, context }) =>
    [event, data, context && `[${context}]`].filter(Boolean).join(' '),
  )
}

export function readCsvLine(line: string): string[] {
  const values: string[] = []
  let rest = `,${line}`
  while (rest !== '') {
    const match = /^,(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/.exec(rest)
    if (match === null) throw new Error(`Not CSV: ${line}`)
    values.push(match[1]?.replaceAll('""', '"') ?? match[2]!)
    rest = rest.slice(match[0].length)
  }
  return values
}
