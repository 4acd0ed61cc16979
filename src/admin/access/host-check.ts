/**
 * Whether a request was meant for us, by its Host field. A web page anywhere can have its own name resolve to
 * 127.0.0.1 and then read this port from the browser of whoever runs the relay (DNS rebinding). The name it
 * uses gives it away: on a loopback address only loopback names are answered.
 */
import { isIP } from 'node:net'

export function isHostAllowed(boundTo: string, host: string | undefined): boolean {
  if (!isLoopback(boundTo)) return true
  if (host === undefined) return false
  const name = host.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1')
  return name.toLowerCase() === 'localhost' || isLoopback(name)
}

function isLoopback(name: string): boolean {
  return isIP(name) === 4 ? name.startsWith('127.') : name === '::1'
}
