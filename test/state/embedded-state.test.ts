/** The embedded state: the contract, and what is its alone. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { at, created, stateContract } from './contract.ts'
import { EmbeddedHarness } from './embedded-harness.ts'
import { runModel, seed } from './model-run.ts'

stateContract('embedded', async () => new EmbeddedHarness())

describe('the embedded state alone', () => {
  let harness: EmbeddedHarness
  beforeEach(() => {
    harness = new EmbeddedHarness()
  })
  afterEach(() => harness.destroy())

  it.each([seed, seed + 1])('answers as the model does (SEED=%i)', async (each) => {
    await runModel(harness, { seed: each, steps: 400 })
  })

  it.skipIf(process.platform === 'win32')('can be read by its user alone', async () => {
    await (await harness.open()).change([created('a')], at)
    const dir = join(harness.dir, 'state')
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    const files = readdirSync(dir, { recursive: true, withFileTypes: true })
    expect(files.map(({ name }) => name)).toContain('data.mdb')
    for (const file of files) {
      const mode = statSync(join(file.parentPath, file.name)).mode & 0o777
      expect([file.name, mode]).toEqual([file.name, file.isDirectory() ? 0o700 : 0o600])
    }
  })

  it('belongs to one relay', async () => {
    await harness.open()
    await expect(harness.open()).rejects.toThrow(/^The state in .* is in use by process/)
  })

  it('refuses a store of another format, and leaves it as it is', async () => {
    await (await harness.open()).close()
    const root = open({ path: join(harness.dir, 'state'), maxDbs: 16, overlappingSync: false })
    root.openDB({ name: 'meta', encoding: 'string' }).putSync('version', '2')
    await root.close()
    await expect(harness.open()).rejects.toThrow('has format 2, this relay reads format 1')
    await expect(harness.open()).rejects.toThrow('has format 2')
  })
})
