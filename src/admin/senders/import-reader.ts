/**
 * The bindings of an import, from CSV or JSON: each line is read as a single binding would be, and what is wrong is told
 * of up to twenty at once, each with its line. 100,000 take their time, so mail gets its turns in between.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { printable } from '../../reply.ts'
import { type ImportedBinding, importRefused } from '../../setup/sender-import-plan.ts'
import { boundConnector, formatSender, parseSender, senderForm } from '../../setup/sender-object.ts'
import { csvLines } from './sender-csv.ts'

export const mostImported = 100_000

/** Rejects with `SetupRefused`. */
export function readCsv(text: string): Promise<readonly ImportedBinding[]> {
  return readAll(csvEntries(text))
}

/** Rejects with `SetupRefused`. */
export function readJson(list: readonly unknown[]): Promise<readonly ImportedBinding[]> {
  return readAll(jsonEntries(list))
}

/** Where it stands, and what it says; `problem` where that cannot be seen. */
interface Entry {
  readonly at: string
  readonly sender?: unknown
  readonly connector?: unknown
  readonly problem?: string
}

const entriesATurn = 2000

async function readAll(entries: Iterable<Entry>): Promise<ImportedBinding[]> {
  const read = new ImportReader()
  let count = 0
  for (const entry of entries) {
    count += 1
    if (count > mostImported)
      throw importRefused([{ at: entry.at, message: `an import has at most ${mostImported} bindings` }])
    read.take(entry)
    if (count % entriesATurn === 0) await turn()
  }
  if (read.problems.length > 0) throw importRefused(read.problems)
  return read.bindings
}

class ImportReader {
  readonly bindings: ImportedBinding[] = []
  readonly problems: { at: string; message: string }[] = []
  /** By sender: where it was named first. */
  readonly #places = new Map<string, string>()
  /** What was made of a connector's id: an import names few of them, and each many times. */
  readonly #connectors = new Map<unknown, Read<string | null>>()

  take(entry: Entry): void {
    const read = this.#read(entry)
    if ('problem' in read) this.problems.push({ at: entry.at, message: read.problem })
    else this.bindings.push(read.value)
  }

  #read({ at, sender, connector, problem }: Entry): Read<ImportedBinding> {
    if (problem !== undefined) return { problem }
    const id = typeof sender === 'string' ? parseSender(sender) : null
    if (id === null) return { problem: `the sender ${sender === undefined ? 'is missing' : senderForm}` }
    const bound = this.#connectorIn(connector)
    if ('problem' in bound) return { problem: `the connector ${bound.problem}` }
    const earlier = this.#places.get(id)
    if (earlier !== undefined) return { problem: `${formatSender(id)} stands in ${earlier} already` }
    this.#places.set(id, at)
    return { value: { at, sender: id, connector: bound.value } }
  }

  #connectorIn(given: unknown): Read<string | null> {
    const known = this.#connectors.get(given)
    if (known !== undefined) return known
    const parsed = boundConnector.safeParse(given)
    const read = parsed.success ? { value: parsed.data } : { problem: parsed.error.issues[0]!.message }
    this.#connectors.set(given, read)
    return read
  }
}

type Read<Value> = { readonly value: Value } | { readonly problem: string }

function* csvEntries(text: string): Iterable<Entry> {
  for (const { line, ...fields } of csvLines(text)) yield { at: `line ${line}`, ...fields }
}

function* jsonEntries(list: readonly unknown[]): Iterable<Entry> {
  for (const [index, entry] of list.entries()) yield { at: `senders.${index}`, ...fieldsOf(entry) }
}

function fieldsOf(entry: unknown): Omit<Entry, 'at'> {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry))
    return { problem: 'must be an object with sender and connector' }
  const unknown = Object.keys(entry).find((key) => key !== 'sender' && key !== 'connector')
  if (unknown !== undefined) return { problem: `there is no field ${printable(unknown.slice(0, 100))} here` }
  const { sender, connector } = entry as { sender?: unknown; connector?: unknown }
  return { sender, connector }
}
