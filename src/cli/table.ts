/**
 * Aligned tables for people. Cells may hold text of a peer, so control characters are shown, not sent to
 * the terminal; a line is cut to the terminal's width, and never where the output goes to a file or a pipe.
 */
import { printable } from '../reply.ts'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number
}

/** Numbers stand to the right. Every line ends with a line feed. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly width: number | undefined },
): string {
  const titles = columns.map((column) => column.title.toUpperCase())
  const cells = rows.map((row) => columns.map((column) => column.value(row)))
  const lines = [titles, ...cells.map((line) => line.map((cell) => printable(String(cell))))]
  const widths = titles.map((_, i) => Math.max(...lines.map((line) => lengthOf(line[i]!))))
  const isNumber = titles.map((_, i) => rows.length > 0 && cells.every((line) => typeof line[i] === 'number'))
  return lines
    .map((line) => line.map((cell, i) => pad(cell, widths[i]!, isNumber[i]!)).join('  '))
    .map((line) => `${cut(line.trimEnd(), options.width)}\n`)
    .join('')
}

/** Names and values of one thing, a line each. */
export function formatFields(
  fields: readonly (readonly [name: string, value: string | number | null])[],
  options: { readonly width: number | undefined },
): string {
  const width = Math.max(...fields.map(([name]) => name.length))
  return fields
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${cut(`${name.padEnd(width)}  ${printable(String(value))}`, options.width)}\n`)
    .join('')
}

/** Characters, not UTF-16 units. */
const lengthOf = (text: string): number => [...text].length

function pad(cell: string, width: number, toTheRight: boolean): string {
  const blanks = ' '.repeat(width - lengthOf(cell))
  return toTheRight ? blanks + cell : cell + blanks
}

function cut(line: string, width: number | undefined): string {
  if (width === undefined || lengthOf(line) <= width) return line
  return `${[...line].slice(0, width - 1).join('')}…`
}
