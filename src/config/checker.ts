/** An outside checker as the program uses it: secrets read, nothing left to look up. */
import type { CheckerConfig } from './policy-schema.ts'

type Of<Kind extends CheckerConfig['kind']> = Extract<CheckerConfig, { kind: Kind }>

export type CheckerSettings =
  | Of<'milter' | 'clamd' | 'delegation'>
  | (Omit<Of<'rspamd'>, 'password'> & { readonly password: string | null })
  | (Omit<Of<'webhook'>, 'secret'> & { readonly secret: string })
