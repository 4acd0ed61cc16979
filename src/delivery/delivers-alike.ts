/**
 * When a connector's queue may stay as it is although the connector was changed: what routing alone uses, and the
 * name, make no difference to how mail leaves. And when two settings of it mean the same smart hosts.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Connector } from '../config/connector.ts'

export function deliversAlike(before: Connector, after: Connector): boolean {
  if (before === after) return true
  const { name, enabled, default: isDefault, addressSpaces, maxSendSize } = after
  return isDeepStrictEqual(
    { ...before, name, enabled, default: isDefault, addressSpaces, maxSendSize },
    after,
  )
}

export function sameHosts(one: Connector, other: Connector): boolean {
  return one.port === other.port && isDeepStrictEqual(one.smartHosts, other.smartHosts)
}
