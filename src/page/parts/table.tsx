/**
 * A table that becomes a list of cards where the screen is narrow: each cell then shows its column's title. A row is
 * opened by the link or button in its first cell, so that every row is reached by keyboard.
 */
import type { ComponentChildren } from 'preact'
import { useFrameWords } from '../words.ts'

export interface Column<Row> {
  readonly title: string
  /** Numbers stand to the right. */
  readonly kind?: 'text' | 'number' | 'code' | 'acts'
  cell(row: Row): ComponentChildren
}

export interface Selection {
  readonly selected: ReadonlySet<string>
  onChange(selected: ReadonlySet<string>): void
}

interface TableProps<Row> {
  /** What the table holds, for those who do not see it. */
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  keyOf(row: Row): string
  readonly selection?: Selection
  /** What a row is called where it is selected; its key where it is left out. */
  nameOf?(row: Row): string
}

export function Table<Row>({ label, columns, rows, keyOf, selection, nameOf = keyOf }: TableProps<Row>) {
  const words = useFrameWords()
  const keys = rows.map(keyOf)
  const all = selection !== undefined && keys.length > 0 && keys.every((key) => selection.selected.has(key))
  const some = selection !== undefined && !all && keys.some((key) => selection.selected.has(key))
  return (
    <div class="table-room">
      <table class="table" aria-label={label}>
        <thead>
          <tr>
            {selection && (
              <th scope="col" class="select">
                <input
                  type="checkbox"
                  aria-label={words.selectAll}
                  checked={all}
                  indeterminate={some}
                  onChange={() => selection.onChange(new Set(all ? [] : keys))}
                />
              </th>
            )}
            {columns.map(({ title, kind = 'text' }) => (
              <th key={title} scope="col" class={kind}>
                {kind === 'acts' ? <span class="unseen">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} class={selection?.selected.has(keyOf(row)) ? 'selected' : undefined}>
              {selection && (
                <td class="select">
                  <input
                    type="checkbox"
                    aria-label={words.select(nameOf(row))}
                    checked={selection.selected.has(keyOf(row))}
                    onChange={() => selection.onChange(toggled(selection.selected, keyOf(row)))}
                  />
                </td>
              )}
              {columns.map(({ title, kind = 'text', cell }) => (
                <td key={title} class={kind} data-title={kind === 'acts' ? undefined : title}>
                  <div class="cell">{cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function toggled(selected: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(selected)
  if (!next.delete(key)) next.add(key)
  return next
}
