/**
 * What can be read of a configuration that may have errors: every value that is valid on its own, defaults
 * included. The checks across fields and the secrets are read from it, so that all errors are told at once.
 */
import type { z } from 'zod'
import { type Config, configSchema } from './schema.ts'
import { isArraySchema, isObjectSchema, unwrap } from './schema-walk.ts'

/** T, where anything may be missing. */
export type Draft<T> = T extends readonly (infer Entry)[]
  ? readonly (Draft<Entry> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
    : T

export type ConfigDraft = Draft<Config>

export function draftOf(value: unknown): ConfigDraft {
  return readable(configSchema, value) as ConfigDraft
}

function readable(schema: z.core.$ZodType, value: unknown): unknown {
  const result = (schema as z.ZodType).safeParse(value)
  if (result.success) return result.data
  const bare = unwrap(schema)
  if (isArraySchema(bare))
    return Array.isArray(value) ? value.map((entry) => readable(bare.element, entry)) : []
  if (!isObjectSchema(bare)) return undefined
  const source = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  return Object.fromEntries(
    Object.entries(bare.shape).map(([key, field]) => [
      key,
      readable(field, Object.hasOwn(source, key) ? source[key] : undefined),
    ]),
  )
}
