/**
 * The format of Exchange's SMTP protocol logs: comma-separated values, a record a line, five lines of header.
 * Names, order and spelling of the fields are Exchange's, so that what reads its logs reads ours. Whatever
 * a peer said, a record is one line, and its fields come back from a CSV reader as they went in.
 */
import { isIPv6 } from 'node:net'

export type Direction = 'receive' | 'send'

/** Connected, disconnected, sent, received, and what was not said but is worth knowing. */
export type ProtocolEvent = '+' | '-' | '>' | '<' | '*'

export interface ProtocolRecord {
  readonly at: number
  readonly connector: string
  readonly session: string
  /** From 0 in each session. */
  readonly sequence: number
  readonly local: string
  readonly remote: string
  readonly event: ProtocolEvent
  readonly data: string
  readonly context: string
}

/** The version of Exchange whose fields these are: readers may choose by it how to read. */
const formatVersion = '15.0.0.0'

const logTypes = { receive: 'SMTP Receive Protocol Log', send: 'SMTP Send Protocol Log' } as const

const fields =
  'date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context'

export function formatHeader(direction: Direction, at: number): string {
  const lines = [
    '#Software: smarthost-relay',
    `#Version: ${formatVersion}`,
    `#Log-type: ${logTypes[direction]}`,
    `#Date: ${isoTime(at)}`,
    `#Fields: ${fields}`,
  ]
  return `${lines.join('\r\n')}\r\n`
}

export function formatRecord(record: ProtocolRecord): string {
  const { connector, session, sequence, local, remote, event, data, context } = record
  const values = [
    isoTime(record.at),
    connector,
    session,
    String(sequence),
    local,
    remote,
    event,
    data,
    context,
  ]
  return `${values.map(formatValue).join(',')}\r\n`
}

/** As Exchange writes one: `192.0.2.1:25`, `[2001:db8::1]:25`; empty while there is none. */
export function formatEndpoint(address: string | undefined, port: number | undefined): string {
  if (address === undefined || port === undefined) return ''
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  return isIPv6(plain) ? `[${plain}]:${port}` : `${plain}:${port}`
}

export const isoTime = (at: number): string => new Date(at).toISOString()

/** RFC 4180. A line break would begin another record for readers that go by lines, quoted or not. */
function formatValue(value: string): string {
  const line = value.replace(breaks, ' ')
  return /[",]|^\s|\s$/.test(line) ? `"${line.replaceAll('"', '""')}"` : line
}

/** With what editors and some languages take for one. */
const breaks = /[\r\n\v\f\u0085\u2028\u2029]/g
