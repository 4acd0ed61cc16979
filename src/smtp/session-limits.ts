/** How many sessions a listener has, in all and from each client address, and when one more is too many. */
import { type Reply, temporary } from '../reply.ts'

export class SessionLimits {
  readonly #limits: { readonly maxSessions: number; readonly maxSessionsPerAddress: number }
  readonly #perAddress = new Map<string, number>()
  #count = 0

  constructor(limits: { maxSessions: number; maxSessionsPerAddress: number }) {
    this.#limits = limits
  }

  get count(): number {
    return this.#count
  }

  /** Null counts the session in; whoever was counted in calls `close` once. */
  open(address: string): Reply | null {
    if (this.#count >= this.#limits.maxSessions)
      return temporary('3.2', 'Too many sessions, please try again later', 421)
    const fromAddress = this.#perAddress.get(address) ?? 0
    if (fromAddress >= this.#limits.maxSessionsPerAddress)
      return temporary('7.0', `Too many sessions from ${address}`, 421)
    this.#count++
    this.#perAddress.set(address, fromAddress + 1)
    return null
  }

  close(address: string): void {
    this.#count--
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left === 0) this.#perAddress.delete(address)
    else this.#perAddress.set(address, left)
  }
}
