/**
 * The lines of Exchange's message tracking log: comma-separated fields in Exchange's order, lists inside a field
 * separated by semicolons. What is written is read back as it was; control characters alone become `?`.
 *
 * Values come from outside and end in spreadsheets, which take a cell that begins with = + - or @ for a formula: such a
 * value (and such an element of a list) is written behind an apostrophe, which the reader takes away again.
 */

/** Of Exchange 2013 and later, in its order. */
export const trackingFields = [
  ...(['date-time', 'client-ip', 'client-hostname', 'server-ip', 'server-hostname'] as const),
  ...(['source-context', 'connector-id', 'source', 'event-id', 'internal-message-id'] as const),
  ...(['message-id', 'network-message-id', 'recipient-address', 'recipient-status'] as const),
  ...(['total-bytes', 'recipient-count', 'related-recipient-address', 'reference'] as const),
  ...(['message-subject', 'sender-address', 'return-path', 'message-info', 'directionality'] as const),
  ...(['tenant-id', 'original-client-ip', 'original-server-ip', 'custom-data'] as const),
  ...(['transport-traffic-type', 'log-id', 'schema-version'] as const),
] as const
export type TrackingField = (typeof trackingFields)[number]

/** What a line says; a field without a value is left out. */
export type TrackingFields = Readonly<Partial<Record<TrackingField, string | undefined>>>

const schemaVersion = '1'

/** What stands at the top of each file. `at` is when it begins. */
export function fileHead(at: number): string {
  return [
    '#Software: smarthost-relay',
    `#Version: ${schemaVersion}`,
    '#Log-type: Message Tracking Log',
    `#Date: ${new Date(at).toISOString()}`,
    `#Fields: ${trackingFields.join(',')}`,
    '',
  ].join('\r\n')
}

/**
 * One line, with the CRLF that Exchange ends lines with. Written out: a loop over the names costs four times as much. And
 * joined: put together piece by piece, a line is made of thirty objects.
 */
export function formatLine(fields: TrackingFields): string {
  const f = fields
  return [
    cell(f['date-time']),
    cell(f['client-ip']),
    cell(f['client-hostname']),
    cell(f['server-ip']),
    cell(f['server-hostname']),
    cell(f['source-context']),
    cell(f['connector-id']),
    cell(f.source),
    cell(f['event-id']),
    cell(f['internal-message-id']),
    cell(f['message-id']),
    cell(f['network-message-id']),
    cell(f['recipient-address']),
    cell(f['recipient-status']),
    cell(f['total-bytes']),
    cell(f['recipient-count']),
    cell(f['related-recipient-address']),
    cell(f.reference),
    cell(f['message-subject']),
    cell(f['sender-address']),
    cell(f['return-path']),
    cell(f['message-info']),
    cell(f.directionality),
    cell(f['tenant-id']),
    cell(f['original-client-ip']),
    cell(f['original-server-ip']),
    cell(f['custom-data']),
    cell(f['transport-traffic-type']),
    cell(f['log-id']),
    lineEnd,
  ].join(',')
}

const lineEnd = `${schemaVersion}\r\n`

/** Null where the line is not whole: another number of fields, or a quote that never ends. */
export function parseLine(line: string): Record<TrackingField, string> | null {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  const cells = text.includes('"') ? quotedCells(text) : text.split(',')
  if (cells === null || cells.length !== trackingFields.length) return null
  const fields: Partial<Record<TrackingField, string>> = {}
  for (let i = 0; i < cells.length; i++) fields[trackingFields[i]!] = unguarded(cells[i]!)
  return fields as Record<TrackingField, string>
}

/** An element that holds a semicolon, or begins with an apostrophe, stands between apostrophes. */
export function joinList(elements: readonly string[]): string {
  if (elements.length === 1 && elements[0] !== '') return element(elements[0]!)
  // A list of one empty element must not read as one of none.
  return elements.length === 1 ? "''" : elements.map(element).join(';')
}

export function splitList(text: string): string[] {
  if (text === '') return []
  if (!text.includes("'")) return text.split(';')
  const elements: string[] = []
  for (let at = 0; at <= text.length; ) {
    const end = endOfElement(text, at)
    const isQuoted = text[at] === "'" && end > at + 1 && text[end - 1] === "'"
    const bare = isQuoted ? text.slice(at + 1, end - 1).replaceAll("''", "'") : text.slice(at, end)
    elements.push(unguarded(bare))
    at = end + 1
  }
  return elements
}

/** Behind the closing apostrophe, else at the next semicolon. */
function endOfElement(text: string, at: number): number {
  if (text[at] === "'") {
    const closing = closingQuote(text, { quote: "'", from: at + 1 })
    if (closing !== -1 && (closing + 1 === text.length || text[closing + 1] === ';')) return closing + 1
  }
  const semicolon = text.indexOf(';', at)
  return semicolon === -1 ? text.length : semicolon
}

const special = /[",\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

function cell(value: string | undefined): string {
  if (value === undefined || value === '') return ''
  const text = guarded(value)
  return special.test(text) ? quoted(text.replace(control, '?')) : text
}

const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

function element(value: string): string {
  const text = guarded(value)
  return text.includes(';') || text.startsWith("'") ? `'${text.replaceAll("'", "''")}'` : text
}

const asFormula = /^'*[=+\-@]/

/** Most values begin with a letter or a digit, which costs nothing to see. */
function guarded(value: string): string {
  const first = value.charCodeAt(0)
  if (first > 0x40 || (first >= 0x30 && first <= 0x39)) return value
  return asFormula.test(value) ? `'${value}` : value
}

const unguarded = (text: string): string => (/^'+[=+\-@]/.test(text) ? text.slice(1) : text)

function quotedCells(text: string): string[] | null {
  const cells: string[] = []
  for (let at = 0; at <= text.length; ) {
    let cell = ''
    let end = at
    if (text[at] === '"') {
      const closing = closingQuote(text, { quote: '"', from: at + 1 })
      if (closing === -1) return null
      cell = text.slice(at + 1, closing).replaceAll('""', '"')
      end = closing + 1
      if (end < text.length && text[end] !== ',') return null
    } else {
      const comma = text.indexOf(',', at)
      end = comma === -1 ? text.length : comma
      cell = text.slice(at, end)
    }
    cells.push(cell)
    at = end + 1
  }
  return cells
}

/** A doubled quote stands for itself. -1 where there is none. */
function closingQuote(text: string, { quote, from }: { quote: string; from: number }): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 2))
    if (text[at + 1] !== quote) return at
  return -1
}
