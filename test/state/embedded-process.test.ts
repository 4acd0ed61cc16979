/** The embedded state where only a process of its own can show it: killed while it changes, and on a full disk. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openEmbeddedState } from '../../src/state/embedded-state.ts'
import { silent } from './embedded-harness.ts'

const program = new URL('../support/state-process.mjs', import.meta.url).pathname

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'state-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return join(dir, 'state')
}

describe('the store of the embedded state', () => {
  it('killed while it changes, has all that was confirmed, and no half of a change', async () => {
    const dir = directory()
    const confirmed: string[] = []
    for (const most of [150, 187, 224]) {
      const child = spawn(process.execPath, [program, dir, 'change'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      let last = 0
      for await (const line of createInterface(child.stdout)) {
        const [name, revision] = line.split(' ')
        confirmed.push(name!)
        last = Number(revision)
        if (confirmed.length >= most) child.kill('SIGKILL')
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')

      const state = await openEmbeddedState({ dir, log: silent })
      const { objects, revision, unreadable } = await state.read()
      await state.close()
      const ids = new Set(objects.map(({ id }) => id))
      expect(confirmed.filter((name) => !ids.has(`${name}-a`) || !ids.has(`${name}-b`))).toEqual([])
      expect(revision).toBeGreaterThanOrEqual(last)
      // Each change made two objects.
      expect(objects).toHaveLength(revision * 2)
      expect(unreadable).toEqual([])
    }
    expect(confirmed.length).toBeGreaterThanOrEqual(224)
  })

  it.skipIf(process.platform === 'win32')(
    'refuses changes when the disk takes no more, and keeps what it has',
    async () => {
      const limitKibibytes = 2048
      const limited = `ulimit -f ${limitKibibytes}; exec "$@"`
      const args = ['-c', limited, 'bash', process.execPath, program, directory(), 'fill']
      const child = spawn('bash', args, { stdio: ['ignore', 'pipe', 'ignore'] })
      const lines: string[] = []
      for await (const line of createInterface(child.stdout)) lines.push(line)
      const [full, after] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
      expect(full).toEqual({ made: expect.any(Number), refusal: 'QueueUnavailable', objects: full!.made })
      expect(full!.made).toBeGreaterThan(10)
      expect(after).toEqual({ objects: full!.made })
    },
  )
})
