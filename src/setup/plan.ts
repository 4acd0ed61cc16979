/**
 * A change of what is configured while the relay runs, worked out whole before anything is stored: what it stores,
 * and what the audit says of it. It is stored in one step, so nothing is ever half applied. A change that cannot be
 * is refused by whoever plans it, with the field at fault.
 */
import type { Configured } from '../observe/events.ts'
import type { SealedSecret } from '../state/secrets.ts'
import type { StateChange } from '../state/state.ts'

export interface Plan {
  readonly changes: readonly StateChange[]
  /** One for each object that changes, without secrets. */
  readonly audit: readonly Configured[]
}

/** What a plan may need beside what is configured. */
export interface Planning {
  /** Epoch ms. */
  readonly now: number
  /** Throws `SetupRefused` where there is no key. */
  seal(text: string, context: string): SealedSecret
}

/** Why a change is refused, for surfaces that have a code for each. */
export type Refusal =
  /** What was asked for is wrong in itself, or contradicts what is configured: `field` says where. */
  | 'invalid'
  /** There is no such object. */
  | 'missing'
  /** It was changed meanwhile, or made already. */
  | 'conflict'
  /** It stands in the configuration file, which alone can change it. */
  | 'readOnly'
  /** Something else depends on it. */
  | 'inUse'
  /** A secret cannot be kept: no key is configured that all nodes have. */
  | 'noKey'

export class SetupRefused extends Error {
  override name = 'SetupRefused'
  readonly refusal: Refusal
  /** As in the body of the request: `addressSpaces.0`. */
  readonly field: string | undefined

  constructor(refusal: Refusal, message: string, field?: string) {
    super(message)
    this.refusal = refusal
    this.field = field
  }
}

/** What was asked for at a version that is not there any more: nobody's change is lost. */
export function demandVersion(
  what: string,
  object: { readonly version: number },
  version: number | undefined,
): void {
  if (version === undefined || version === object.version) return
  const message = `${what} was changed meanwhile: it is at version ${object.version}, not ${version}`
  throw new SetupRefused('conflict', message, 'version')
}
