/** The version of this relay, as its package says. */
import { readFileSync } from 'node:fs'

export const relayVersion: string = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).version
