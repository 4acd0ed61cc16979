/**
 * An object of the runtime state as it is stored: one JSON text under `kind/id`, the same in both stores, with the
 * version in front so that Redis can compare it without reading the rest. What a store cannot read back never
 * gets in, and what was damaged never gets out.
 */
import { isUtf8 } from 'node:buffer'
import type { StateChange, StateObject } from './state.ts'

/** A change with what will be stored. */
export interface StoredChange {
  readonly kind: string
  readonly id: string
  /** `kind/id` */
  readonly key: string
  readonly expected: number | null
  /** Null where the object is removed. */
  readonly record: string | null
}

/** Kinds have no slash, so the first one ends them. */
export const keyOf = ({ kind, id }: { readonly kind: string; readonly id: string }): string => `${kind}/${id}`

export function namesOf(key: string): { kind: string; id: string } {
  const slash = key.indexOf('/')
  return { kind: key.slice(0, slash), id: key.slice(slash + 1) }
}

/** Throws `TypeError` where a change is none, or two are of the same object: a fault of ours. */
export function storedChanges(changes: readonly StateChange[], now: number): readonly StoredChange[] {
  const keys = new Set<string>()
  return changes.map((change) => {
    const stored = storedChange(change, now)
    if (keys.has(stored.key)) throw new TypeError(`Cannot change ${stored.key} twice in one step`)
    keys.add(stored.key)
    return stored
  })
}

/** Null where the bytes are no object. */
export function decodeRecord(key: string, bytes: Buffer): StateObject | null {
  const record = isUtf8(bytes) ? parsed(bytes.toString()) : null
  if (!isRecord(record)) return null
  const { version, changedAt, value } = record
  return Object.freeze({ ...namesOf(key), version, value: frozen(value), changedAt })
}

const mostIdLength = 300

function storedChange({ kind, id, expected, value }: StateChange, now: number): StoredChange {
  const key = keyOf({ kind, id })
  if (!/^[a-z][A-Za-z-]{0,39}$/.test(kind))
    throw new TypeError(`Not a kind of object: ${JSON.stringify(kind)}`)
  if (id === '' || id.length > mostIdLength || /[\x00-\x1f\x7f]|\p{Surrogate}/u.test(id))
    throw new TypeError(`Not the id of a ${kind}: ${JSON.stringify(id)}`)
  if (expected !== null && !isVersion(expected))
    throw new TypeError(`Not a version of ${key}: ${JSON.stringify(expected)}`)
  return { kind, id, key, expected, record: value === null ? null : encode({ key, expected, value }, now) }
}

function encode(
  { key, expected, value }: { key: string; expected: number | null; value: unknown },
  now: number,
): string {
  const json = JSON.stringify(value) as string | undefined
  if (json === undefined || json === 'null') throw new TypeError(`The value of ${key} is no JSON`)
  return `{"version":${(expected ?? 0) + 1},"changedAt":${JSON.stringify(now)},"value":${json}}`
}

interface StateRecord {
  readonly version: number
  readonly changedAt: number
  readonly value: unknown
}

function isRecord(value: unknown): value is StateRecord {
  if (typeof value !== 'object' || value === null) return false
  const { version, changedAt, value: own } = value as Partial<StateRecord>
  return isVersion(version) && Number.isFinite(changedAt) && own !== undefined && own !== null
}

function isVersion(version: unknown): version is number {
  return Number.isSafeInteger(version) && (version as number) >= 1
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Snapshots share their objects: who changed one would change it for everybody. */
function frozen(value: unknown): unknown {
  const open = [value]
  for (let each = open.pop(); each !== undefined; each = open.pop()) {
    if (typeof each !== 'object' || each === null) continue
    Object.freeze(each)
    for (const inner of Object.values(each)) open.push(inner)
  }
  return value
}
