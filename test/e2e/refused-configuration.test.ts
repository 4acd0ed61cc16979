/** What cannot be run is refused as a whole, with everything that is wrong with it. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runRelay } from '../support/relay-process.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'relay-refused-'))
})
afterEach(() => rm(directory, { recursive: true }))

const wrong = (dataDir: string): string => `
hostname: "not a host name"
dataDir: ${dataDir}
listeners:
  - { name: exchange, port: 70000, tls: sometimes }
connectors:
  - { id: 1, name: One, addressSpaces: ["*.example.org;500"], smartHosts: [smtp.example.com:587] }
  - { id: 1, name: Two, smartHosts: [smtp.example.com], pasword: { env: X } }
senders:
  - { address: anna@example.com, connector: 99 }
delivery: { expireAfter: two days }
`

it('starts nothing on a configuration with errors, and names each with its path', async () => {
  const file = join(directory, 'relay.yaml')
  const dataDir = join(directory, 'data')
  await writeFile(file, wrong(dataDir))
  const { code, stdout, stderr } = await runRelay(['start', '--config', file])
  expect(code).toBe(1)
  expect(stdout).toBe('')
  const paths = [
    'hostname',
    'listeners[0].port',
    'listeners[0].tls',
    'connectors[0].addressSpaces[0]',
    'connectors[0].smartHosts[0]',
    'connectors[1].id',
    'connectors[1].pasword',
    'senders[0].connector',
    'delivery.expireAfter',
  ]
  const named = stderr.split('\n').filter((line) => line !== '')
  for (const path of paths) expect(named.filter((line) => line.includes(path))).toHaveLength(1)
  expect(named).toHaveLength(paths.length)
  // A relay that opens the store before it knows what is wrong would have left it behind.
  expect(existsSync(dataDir)).toBe(false)

  const check = await runRelay(['check', '--config', file])
  expect(check).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(stderr) })
})

it.each([
  ['an unknown command', ['deliver']],
  ['an unknown option', ['start', '--force']],
  ['a missing argument', ['queue', 'show']],
  ['a wrong argument', ['queue', 'show', 'no-id']],
])('calls %s wrong usage: exit code 2', async (_what, args) => {
  const { code, stdout, stderr } = await runRelay(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: /)
})

it('says which file it cannot read', async () => {
  const file = join(directory, 'nowhere.yaml')
  const { code, stderr } = await runRelay(['start', '--config', file])
  expect(code).toBe(1)
  expect(stderr).toContain(file)
})
