/**
 * The token of this machine: a secret in a file, made by the relay and read by its commands. Whoever can read the
 * file may operate the relay, as with rndc's key: what the file system says of it is who that is.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export const tokenFileIn = (dataDir: string): string => join(dataDir, 'admin-token')

/** The token in the file; where it is missing, or holds none, a new one is made, for the relay's user alone. */
export async function openTokenFile(file: string): Promise<string> {
  for (;;) {
    const found = await readTokenFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (found !== null) return found
    await makeTokenFile(file)
  }
}

/** Null where the file holds no token; rejects where it cannot be read. */
export async function readTokenFile(file: string): Promise<string | null> {
  const token = (await readFile(file, 'latin1')).trim()
  return isToken(token) ? token : null
}

/** 32 bytes in base64url. */
export const isToken = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text)

/** Whole or not at all, so that nobody reads half of it; where another process was faster, its token counts. */
async function makeTokenFile(file: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
    // A file that holds no token is in the way.
    if (await isMalformed(file)) await rm(file)
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function isMalformed(file: string): Promise<boolean> {
  return readTokenFile(file).then(
    (token) => token === null,
    () => false,
  )
}
