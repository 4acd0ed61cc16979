/**
 * What a crash leaves in the embedded store that nobody needs: bodies whose message was never put. Only what was
 * being staged is looked at, so that opening a store costs the same whatever waits in it.
 */
import type { EmbeddedStore, Write } from './store.ts'

/** A chunk is 64 KiB: more than this many in one commit would hold up what comes next. */
const largestCommit = 256

/** Returns how many bodies were removed. */
export async function removeStagedBodies(store: EmbeddedStore): Promise<number> {
  const names = [...store.keys(store.staged)]
  for (const name of names) {
    const range = { start: [name], end: [name, Number.MAX_SAFE_INTEGER] }
    const chunks = [...store.keys(store.bodies, range)]
    for (let at = 0; at < chunks.length; at += largestCommit)
      await store.commit(chunks.slice(at, at + largestCommit).map((key): Write => ['bodies', key, null]))
    await store.commit([['staged', name, null]])
  }
  store.refresh()
  return names.length
}
