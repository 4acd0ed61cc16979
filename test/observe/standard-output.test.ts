import { type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { StandardOutput } from '../../src/observe/standard-output.ts'

/** Writes 2 MB of lines as the log does, then says on standard error that it lived to the end. */
const program = `
  import { createLog } from ${JSON.stringify(new URL('../../dist/observe/log.js', import.meta.url).href)}
  const log = createLog({ level: 'info' })
  for (let i = 0; i < 20; i++) {
    for (let j = 0; j < 10; j++) log.info({ i, j, text: 'x'.repeat(10000) }, 'line')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  process.stderr.write('alive')
  process.exit(0)
`

async function run(stdout: 'pipe' | number, read: (child: ReturnType<typeof start>) => void = () => {}) {
  const child = start(['ignore', stdout, 'pipe'])
  read(child)
  let stderr = ''
  child.stderr!.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code, stderr }
}

function start(stdio: StdioOptions) {
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio })
}

const alive = { code: 0, stderr: 'alive' }

it('writes every line in order, also those of the last moment before exit', async () => {
  let text = ''
  expect(
    await run('pipe', (child) => {
      child.stdout!.on('data', (chunk) => {
        text += chunk
      })
    }),
  ).toEqual(alive)
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line).i * 10 + JSON.parse(line).j)).toEqual([...Array(200).keys()])
})

it('does not end the process when the reader has gone away', async () => {
  expect(await run('pipe', (child) => child.stdout!.destroy())).toEqual(alive)
})

it.skipIf(!existsSync('/dev/full'))(
  'does not end the process, nor keep it from ending, on a full disk',
  async () => {
    const full = openSync('/dev/full', 'w')
    expect(await run(full)).toEqual(alive)
    closeSync(full)
  },
)

it('drops what exceeds its memory and says how many lines that were', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'relay-log-'))
  const fd = openSync(join(directory, 'log'), 'w')
  const megabyte = `${'x'.repeat(1024 ** 2 - 1)}\n`
  const lost = await new Promise((resolve) => {
    const output = new StandardOutput({ fd, onLost: resolve })
    for (let i = 0; i < 20; i++) output.write(megabyte)
  })
  expect(lost).toBe(4)
  expect(statSync(join(directory, 'log')).size).toBe(16 * 1024 ** 2)
  closeSync(fd)
  rmSync(directory, { recursive: true })
})
