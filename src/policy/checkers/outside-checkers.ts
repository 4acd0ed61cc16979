/** The outside checkers of a configuration, each behind its guard. */
import type { Clock } from '../../clock.ts'
import type { CheckerSettings } from '../../config/checker.ts'
import type { Log } from '../../observe/log.ts'
import type { Checker } from './checker.ts'
import { Clamd } from './clamd.ts'
import { Delegation } from './delegation.ts'
import { type GuardedChecker, guarded } from './guard.ts'
import { MilterChecker } from './milter.ts'
import { Rspamd } from './rspamd.ts'
import { Webhook } from './webhook.ts'

export interface CheckerSurroundings {
  /** The relay's own name, for those that ask. */
  readonly hostname: string
  readonly log: Log
  readonly clock: Clock
}

export function outsideCheckers(
  settings: readonly CheckerSettings[],
  surroundings: CheckerSurroundings,
): GuardedChecker[] {
  return settings.map((each) =>
    guarded(checkerOf(each, surroundings), {
      ...surroundings,
      timeoutMs: each.timeout,
      concurrency: each.concurrency,
      away: each.away,
    }),
  )
}

function checkerOf(settings: CheckerSettings, { hostname, clock }: CheckerSurroundings): Checker {
  switch (settings.kind) {
    case 'milter':
      return new MilterChecker({ ...settings, hostname })
    case 'clamd':
      return new Clamd(settings)
    case 'rspamd':
      return new Rspamd(settings, { hostname, password: settings.password })
    case 'delegation':
      return new Delegation(settings)
    case 'webhook':
      return new Webhook(settings, { secret: settings.secret, clock })
  }
}
