/**
 * Bindings as text, one a line: `sender,connector`. Read is what spreadsheets make of that (a semicolon or a tab between
 * the fields, as the country has it, quotes, any line ends, a first line with the names); nothing is guessed beyond it.
 *
 * A spreadsheet takes a cell that begins with = + - or @ for a formula: such a sender is written behind an apostrophe,
 * which the reader takes away again.
 */

/** A line with its two fields, or what is wrong with it. */
export type CsvLine = { readonly line: number } & (
  | { readonly sender: string; readonly connector: string }
  | { readonly problem: string }
)

export const csvHead = 'sender,connector\r\n'

export function formatCsvLine({ sender, connector }: { sender: string; connector: string | null }): string {
  const guarded = asFormula.test(sender) ? `'${sender}` : sender
  const cell = /[",;\t]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded
  return `${cell},${connector ?? 0}\r\n`
}

/** Empty lines and the line of names are left out. */
export function* csvLines(text: string): Iterable<CsvLine> {
  let separator: string | null = null
  let line = 0
  for (const content of text.split(/\r\n|\r|\n/)) {
    line += 1
    if (content.trim() === '') continue
    const isFirst = separator === null
    separator ??= separatorIn(content)
    const fields = fieldsOf(content, separator)
    if (isFirst && fields?.join().toLowerCase() === 'sender,connector') continue
    yield { line, ...readFields(fields) }
  }
}

function readFields(
  fields: readonly string[] | null,
): { sender: string; connector: string } | { problem: string } {
  if (fields === null) return { problem: 'a quote begins inside a field, or does not end' }
  const [sender, connector] = fields
  if (fields.length === 2) return { sender: unguarded(sender!), connector: connector! }
  return { problem: `there must be two fields, the sender and its connector; there are ${fields.length}` }
}

const asFormula = /^'*[=+\-@]/

const unguarded = (sender: string): string => (/^'+[=+\-@]/.test(sender) ? sender.slice(1) : sender)

/** What stands outside quotes in the first line. */
function separatorIn(line: string): string {
  const plain = line.replace(/"[^"]*"/g, '')
  return ['\t', ';'].find((separator) => plain.includes(separator)) ?? ','
}

/** Null where quotes are not in order. */
function fieldsOf(line: string, separator: string): string[] | null {
  if (!line.includes('"')) return line.split(separator).map((field) => field.trim())
  const fields: string[] = []
  // Blanks stand in one place of each alternative, or a long row of them would be tried in every division.
  const field = new RegExp(`(?:\\s*"((?:[^"]|"")*)"\\s*|([^"${separator}]*))(${separator}|$)`, 'y')
  for (;;) {
    const match = field.exec(line)
    if (match === null) return null
    const [, quoted, plain, end] = match
    fields.push(quoted === undefined ? plain!.trim() : quoted.replaceAll('""', '"'))
    if (end === '') return fields
  }
}
