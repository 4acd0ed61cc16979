/**
 * What becomes of recipients while rule after rule is asked. They begin as one group with an empty plan; a rule that
 * acts on some of a group splits it. Actions of different rules accumulate in a group's plan; recipients that a
 * rule stopped for are asked about no more, those that are refused or dropped have left. At the end groups with the
 * same plan are one variant.
 */
import type { Reply } from '../../reply.ts'
import type { Mailbox } from './mailbox.ts'
import type { Variant, Verdict } from './verdict.ts'

/** A variant without its recipients. */
type Plan = Omit<Variant, 'recipients'>

const untouched: Plan = {
  redirectTo: null,
  added: [],
  edits: [],
  sender: null,
  hold: null,
  connector: null,
  requireTls: false,
}

/** What the actions of one rule add to a plan; null is no opinion. */
export type Change = Plan

type Passed = Extract<Verdict, { kind: 'pass' }>

interface Group {
  /** In envelope order. */
  readonly members: readonly Mailbox[]
  readonly plan: Plan
}

export class Recipients {
  /** Those that further rules are asked about. */
  #open: Group[]
  #inOrder: readonly Mailbox[] | null = null
  readonly #stopped: Group[] = []
  readonly #bounced: Passed['bounced'][number][] = []
  readonly #dropped: Passed['dropped'][number][] = []

  constructor(members: readonly Mailbox[]) {
    this.#open = members.length === 0 ? [] : [{ members, plan: untouched }]
  }

  /** In envelope order. */
  get open(): readonly Mailbox[] {
    this.#inOrder ??= inOrder(this.#open)
    return this.#inOrder
  }

  change(members: readonly Mailbox[], { change, stop }: { change: Change; stop: boolean }): void {
    const changed = this.#take(members).map((group) => ({
      members: group.members,
      plan: combined(group.plan, change),
    }))
    if (stop) this.#stopped.push(...changed)
    else this.#open.push(...changed)
  }

  bounce(members: readonly Mailbox[], by: { readonly rule: string; readonly reply: Reply }): void {
    this.#bounced.push({ recipients: inOrder(this.#take(members)).map(addressOf), ...by })
  }

  drop(members: readonly Mailbox[], by: { readonly rule: string }): void {
    this.#dropped.push({ recipients: inOrder(this.#take(members)).map(addressOf), ...by })
  }

  outcome(): Pick<Passed, 'variants' | 'bounced' | 'dropped'> {
    // All fields by name: one made by spread gets a hidden class of its own from V8, for each message.
    const variants = merged([...this.#open, ...this.#stopped]).map(({ members, plan }) => ({
      recipients: members.map(addressOf),
      redirectTo: plan.redirectTo,
      added: plan.added,
      edits: plan.edits,
      sender: plan.sender,
      hold: plan.hold,
      connector: plan.connector,
      requireTls: plan.requireTls,
    }))
    return { variants, bounced: this.#bounced, dropped: this.#dropped }
  }

  /** Takes these out of the open groups. */
  #take(members: readonly Mailbox[]): Group[] {
    if (members === this.open) {
      const taken = this.#open
      this.#open = []
      this.#inOrder = null
      return taken
    }
    const wanted = new Set(members)
    const taken: Group[] = []
    const left: Group[] = []
    for (const group of this.#open) {
      const [inside, outside] = partition(group.members, wanted)
      if (inside.length > 0) taken.push({ members: inside, plan: group.plan })
      if (outside.length > 0) left.push({ members: outside, plan: group.plan })
    }
    this.#open = left
    this.#inOrder = null
    return taken
  }
}

function partition(members: readonly Mailbox[], wanted: ReadonlySet<Mailbox>): [Mailbox[], Mailbox[]] {
  const inside: Mailbox[] = []
  const outside: Mailbox[] = []
  for (const member of members) (wanted.has(member) ? inside : outside).push(member)
  return [inside, outside]
}

/** For the operator the first reason is the one; for everything that replaces something, the last word counts. */
function combined(plan: Plan, change: Change): Plan {
  return {
    redirectTo: change.redirectTo ?? plan.redirectTo,
    added: join(plan.added, change.added),
    edits: join(plan.edits, change.edits),
    sender: change.sender ?? plan.sender,
    hold: plan.hold ?? change.hold,
    connector: change.connector ?? plan.connector,
    requireTls: plan.requireTls || change.requireTls,
  }
}

function join<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  return after.length === 0 ? before : [...before, ...after]
}

/** Groups of one plan are one; in the order of their first recipients. */
function merged(groups: readonly Group[]): readonly Group[] {
  if (groups.length < 2) return groups
  const byPlan = new Map<string, Group[]>()
  for (const group of groups) {
    const key = JSON.stringify(group.plan)
    const same = byPlan.get(key)
    if (same === undefined) byPlan.set(key, [group])
    else same.push(group)
  }
  return [...byPlan.values()]
    .map((same) => ({ members: inOrder(same), plan: same[0]!.plan }))
    .sort((a, b) => a.members[0]!.index - b.members[0]!.index)
}

function inOrder(groups: readonly Group[]): readonly Mailbox[] {
  if (groups.length < 2) return groups[0]?.members ?? []
  return groups.flatMap(({ members }) => members).sort((a, b) => a.index - b.index)
}

const addressOf = ({ address }: Mailbox): string => address
