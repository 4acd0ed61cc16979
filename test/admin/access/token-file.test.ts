import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isToken, openTokenFile, readTokenFile, tokenFileIn } from '../../../src/admin/access/token-file.ts'

let directory: string
let file: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-token-'))
  file = tokenFileIn(join(directory, 'data'))
})
afterEach(() => rmSync(directory, { recursive: true }))

it('is made for its owner alone, with the directory around it', async () => {
  const token = await openTokenFile(file)
  expect(isToken(token)).toBe(true)
  expect(Buffer.from(token, 'base64url')).toHaveLength(32)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(join(directory, 'data')).mode & 0o777).toBe(0o700)
  expect(readdirSync(join(directory, 'data'))).toEqual(['admin-token'])
})

it('is kept over restarts, with the rights that an operator gave it', async () => {
  const token = await openTokenFile(file)
  chmodSync(file, 0o640)
  expect(await openTokenFile(file)).toBe(token)
  expect(statSync(file).mode & 0o777).toBe(0o640)
  expect(await readTokenFile(file)).toBe(token)
})

it.each(['', 'short\n', `${'A'.repeat(43)}\n${'B'.repeat(43)}\n`])(
  'is made anew where it holds %j',
  async (text) => {
    await openTokenFile(file)
    writeFileSync(file, text, { mode: 0o644 })
    expect(await readTokenFile(file)).toBeNull()
    const token = await openTokenFile(file)
    expect(isToken(token)).toBe(true)
    expect(readFileSync(file, 'latin1')).toBe(`${token}\n`)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  },
)

it('is one, where several make it at the same time', async () => {
  const tokens = await Promise.all(Array.from({ length: 10 }, () => openTokenFile(file)))
  expect(new Set(tokens).size).toBe(1)
  expect(readdirSync(join(directory, 'data'))).toEqual(['admin-token'])
})

it('cannot be made where something else is in its place', async () => {
  writeFileSync(join(directory, 'data'), '')
  await expect(openTokenFile(file)).rejects.toThrow(/EEXIST|ENOTDIR/)
})
