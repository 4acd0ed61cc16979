/**
 * The numbers that connectors get where nobody names them. A number is given once: mail, logs and bindings of a
 * connector that is gone must not be taken for those of a later one. The highest that ever was is kept beside the
 * connectors, and changed in the step that makes one.
 */
import { z } from 'zod'
import { keyOf } from '../state/record.ts'
import { objectAt, objectsOf } from '../state/snapshot.ts'
import type { StateChange } from '../state/state.ts'
import { connectorKind } from './connector-object.ts'
import type { CurrentSetup } from './current.ts'
import { SetupRefused } from './plan.ts'

export const counterKind = 'counter'
const counterId = 'connector'

const counterValue = z.strictObject({ last: z.int().nonnegative() })

/** As the schema of ids has it. */
const mostNumber = 2 ** 31

export function nextConnectorId(current: CurrentSetup): string {
  const next = highestNumber(current) + 1
  if (next > mostNumber)
    throw new SetupRefused('invalid', 'id is missing: there is no number left to give, name another id', 'id')
  return String(next)
}

/** Stored with every new connector, so that its number is not given again. */
export function connectorCount(current: CurrentSetup, id: string): StateChange {
  const last = Math.max(highestNumber(current), numberOf(id))
  return { kind: counterKind, id: counterId, expected: counterIn(current)?.version ?? null, value: { last } }
}

function highestNumber(current: CurrentSetup): number {
  let highest = counterIn(current)?.last ?? 0
  for (const { id } of current.config.connectors) highest = Math.max(highest, numberOf(id))
  for (const { id } of objectsOf(current.snapshot, connectorKind)) highest = Math.max(highest, numberOf(id))
  return highest
}

function counterIn({ snapshot }: CurrentSetup): { last: number; version: number } | null {
  const object = objectAt(snapshot, keyOf({ kind: counterKind, id: counterId }))
  if (object === null) return null
  // One that is damaged is made anew from the connectors that are there.
  return { last: counterValue.safeParse(object.value).data?.last ?? 0, version: object.version }
}

/** 0 where it is a word. */
const numberOf = (id: string): number => (/^\d{1,10}$/.test(id) ? Number(id) : 0)
