/** What `/readyz` answers: whether mail can be accepted now, and if not, what is missing. Pure. */

export interface Check {
  readonly name: string
  readonly ok: boolean
  /** Why not; null where it is. */
  readonly detail: string | null
}

export interface Readiness {
  readonly ready: boolean
  readonly checks: readonly Check[]
}

export interface Parts {
  /** Of `Queue.fault()`. */
  readonly queueFault: string | null
  /** `fault` is null while the listener accepts connections. */
  readonly listeners: readonly { readonly name: string; readonly fault: string | null }[]
}

/** Smart hosts that are down are no reason: accepting mail while they are is what the relay is for. */
export function readinessOf(parts: Parts): Readiness {
  const checks = [
    check('queue', parts.queueFault),
    ...parts.listeners.map((listener) => check(`listener ${listener.name}`, listener.fault)),
  ]
  return { ready: checks.every(({ ok }) => ok), checks }
}

const check = (name: string, fault: string | null): Check => ({ name, ok: fault === null, detail: fault })
