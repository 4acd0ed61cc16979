/** What the calls of OVHcloud's API have in common: the one service that this relay is. */
import type { Clock } from '../../clock.ts'
import type { Setup } from '../../setup/setup.ts'
import type { Changes } from './changes.ts'

export interface Service {
  readonly setup: Pick<Setup, 'current'>
  readonly clock: Clock
  readonly changes: Changes
  /** When the configuration file was read: what stands in it has no other date. Epoch ms. */
  readonly since: number
}
