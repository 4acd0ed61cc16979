/**
 * The key that seals what is kept secret in the runtime state: the configured one, else one in a file of its own beside
 * the store, made once, for the relay's user alone. Nodes that share a Redis would each make another one, so there
 * it must be configured.
 */
import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadedConfig } from '../config/load.ts'
import { parseSecretKey, SecretBox, type SecretKey } from '../state/secrets.ts'

/** Null where no key is configured that all nodes have. Rejects where the file cannot be read or holds no key. */
export async function openSecretBox({ config, stateKeys }: LoadedConfig): Promise<SecretBox | null> {
  const { current, former } = stateKeys
  if (current !== null) return new SecretBox({ current, former })
  if (config.queue.store !== 'embedded') return null
  return new SecretBox({ current: await openKeyFile(join(config.dataDir, 'state-key')), former })
}

async function openKeyFile(file: string): Promise<SecretKey> {
  const text = (await readIfThere(file)) ?? (await makeKeyFile(file))
  const key = parseSecretKey(text)
  // It is never made anew: what the lost one sealed could not be opened by another.
  if ('error' in key) throw new Error(`The key of the state, ${file}, ${key.error}`)
  return key
}

/** Whole or not at all, as a file of half a key would be refused for ever. */
async function makeKeyFile(file: string): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  return readFile(file, 'utf8')
}

async function readIfThere(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}
