/** All lines of the history that match, as a file in the form of Exchange's message tracking log. */
import { readPart } from '../client.ts'
import { searchParameters, type TraceQuery } from './trace-query.ts'

const mostEvents = 1000

/** Resolves with how many lines it has. */
export async function exportCsv(query: TraceQuery): Promise<number> {
  const parts: string[] = []
  const parameters = searchParameters(query)
  parameters.set('format', 'csv')
  parameters.set('limit', String(mostEvents))
  let next: string | null = null
  do {
    if (next !== null) parameters.set('after', next)
    const part = await readPart(`/tracking?${parameters}`, 'text/csv')
    parts.push(part.text)
    next = part.next
  } while (next !== null)
  const text = parts.join('')
  save(new Blob([text], { type: 'text/csv' }), 'message-tracking.csv')
  return text.split('\r\n').filter((line) => line !== '' && !line.startsWith('#')).length
}

function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  URL.revokeObjectURL(address)
}
