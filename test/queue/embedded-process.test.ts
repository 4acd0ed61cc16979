/** The embedded queue where only a process of its own can show it: killed, opened twice, and on a full disk. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { itemId } from '../../src/message-id.ts'
import { openEmbeddedQueue } from '../../src/queue/embedded/embedded.ts'
import { type Queue, QueueUnavailable } from '../../src/queue/queue.ts'
import { silent } from './embedded-harness.ts'

const program = new URL('../support/queue-process.mjs', import.meta.url).pathname

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'queue-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

function start(dir: string, mode: 'hold' | 'put'): ChildProcess {
  const child = spawn(process.execPath, ['--expose-gc', program, dir, mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return line
}

async function open(dir: string): Promise<Queue> {
  const queue = await openEmbeddedQueue({ dir, maxItems: 1e6, maxBytes: 1e12, log: silent })
  onTestFinished(() => queue.close({ deadlineMs: 1000 }))
  return queue
}

async function hashOf(queue: Queue, messageId: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of queue.body(messageId)) hash.update(chunk)
  return hash.digest('hex')
}

describe('the store of the embedded queue', () => {
  it('belongs to one process: another is refused and told which one has it', async () => {
    const dir = directory()
    const queue = await open(dir)
    const other = start(dir, 'hold')
    expect(await firstLine(other)).toMatch(
      new RegExp(`QueueUnavailable: .* is in use by process ${process.pid}`),
    )
    expect((await once(other, 'exit'))[0]).toBe(1)
    await expect(open(dir)).rejects.toThrow(`in use by process ${process.pid}`)
    expect(queue.fault()).toBeNull()
  })

  it('belongs to its process for as long as that lives, and is free again when it was killed', async () => {
    const dir = directory()
    const child = start(dir, 'hold')
    expect(await firstLine(child)).toBe('open')
    await expect(open(dir)).rejects.toThrow(QueueUnavailable)
    await expect(open(dir)).rejects.toThrow(`in use by process ${child.pid}`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await open(dir)
  })

  it.skipIf(process.platform === 'win32')('is readable by its user alone', async () => {
    const dir = join(directory(), 'queue')
    await open(dir)
    const modes = ['.', 'data.mdb', 'lock.mdb'].map((name) => statSync(join(dir, name)).mode & 0o777)
    expect(modes).toEqual([0o700, 0o600, 0o600])
  })

  it('keeps every acknowledged message through kill -9, with its body', async () => {
    const dir = directory()
    const acknowledged = new Map<string, string>()
    for (let round = 0; round < 3; round++) {
      const child = start(dir, 'put')
      const enough = acknowledged.size + 150 + 100 * round
      for await (const line of createInterface(child.stdout!)) {
        const [id, hash] = line.split(' ') as [string, string]
        acknowledged.set(id, hash)
        if (acknowledged.size === enough) child.kill('SIGKILL')
      }
    }
    const queue = await open(dir)
    for (const [id, hash] of acknowledged) {
      expect(await queue.get(itemId(id, 1), { now: Date.now() })).not.toBeNull()
      expect(await hashOf(queue, id)).toBe(hash)
    }
    const { items, corrupt } = await queue.totals({ now: Date.now() })
    expect(items).toBeGreaterThanOrEqual(acknowledged.size)
    expect(corrupt).toBe(0)
  })

  it.skipIf(process.platform === 'win32')(
    'refuses mail when the disk takes no more, keeps what it has, and goes on when there is room',
    async () => {
      const dir = directory()
      const limitKibibytes = 8192
      const child = spawn(
        'bash',
        ['-c', `ulimit -f ${limitKibibytes}; exec "$@"`, 'bash', process.execPath, program, dir, 'fill'],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      )
      const lines: string[] = []
      for await (const line of createInterface(child.stdout)) lines.push(line)
      const [full, after] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
      expect(full).toEqual({
        kept: expect.any(Number),
        refusal: expect.stringMatching(/^Queue(Full|Unavailable)$/),
        stillRefused: expect.stringMatching(/^Queue(Full|Unavailable)$/),
        fault: expect.any(String),
      })
      expect(full!.kept).toBeGreaterThan(40)
      expect(after).toEqual({ whole: full!.kept, leased: full!.kept, items: 2, fault: null })
    },
  )
})
