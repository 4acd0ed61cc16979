/** Reading the schema itself: what is known at a path, which keys there are, and what is near to a wrong one. */
import type { z } from 'zod'
import type { Path } from './path.ts'

/** The schema without its default, null and transformation: what kind of value it is. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = schema._zod as { def: { type: string; innerType?: z.core.$ZodType; in?: z.core.$ZodType } }
  if (def.innerType) return unwrap(def.innerType)
  return def.type === 'pipe' && def.in ? unwrap(def.in) : schema
}

export function isObjectSchema(schema: z.core.$ZodType): schema is z.ZodObject {
  return schema._zod.def.type === 'object'
}

export function isArraySchema(schema: z.core.$ZodType): schema is z.ZodArray {
  return schema._zod.def.type === 'array'
}

export function isUnionSchema(schema: z.core.$ZodType): schema is z.ZodUnion {
  return schema._zod.def.type === 'union'
}

/** The schemas that a value at this path may have: several where a union is on the way. */
export function schemasAt(schema: z.core.$ZodType, path: Path): z.core.$ZodType[] {
  const [step, ...rest] = path
  if (step === undefined) return [schema]
  return alternativesOf(schema).flatMap((bare) => {
    if (typeof step === 'number') return isArraySchema(bare) ? schemasAt(bare.element, rest) : []
    const field = isObjectSchema(bare) ? bare.shape[step] : undefined
    return field === undefined ? [] : schemasAt(field, rest)
  })
}

/** The keys that a mapping at this path may have. */
export function keysAt(schema: z.core.$ZodType, path: Path): string[] {
  const objects = schemasAt(schema, path).flatMap(alternativesOf).filter(isObjectSchema)
  return [...new Set(objects.flatMap((object) => Object.keys(object.shape)))]
}

function alternativesOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const bare = unwrap(schema)
  return isUnionSchema(bare) ? bare.options.flatMap(alternativesOf) : [bare]
}

/** The known word that was probably meant, or null. Case, `-` and `_` do not count. */
export function nearest(word: string, known: readonly string[]): string | null {
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, '')
  const limit = Math.max(1, Math.floor(word.length / 4))
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(plain(word), plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance)
  if (best === undefined || best.distance > limit) return null
  // Of two letters or digits one has to be right: 9 is not what 1 was meant to be.
  return best.distance < Math.min(word.length, best.candidate.length) ? best.candidate : null
}

/** Letters to insert, remove or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
