import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { registerPassword } from '../../src/cli/password.ts'
import { verifyPassword } from '../../src/smtp/password.ts'
import { runCommand } from './run-command.ts'

const run = (input: string | Buffer, args: string[] = []) =>
  runCommand((program) => registerPassword(program, Readable.from([input])), ['password', ...args])

it('prints a hash of the line on standard input', async () => {
  const { out, code } = await run('päss word\n')
  expect(code).toBe(0)
  expect(out).toMatch(/^scrypt\$[^\n]+\n$/)
  expect(await verifyPassword('päss word', out.trim())).toBe(true)
  expect(await verifyPassword('päss word\n', out.trim())).toBe(false)
})

it('prints JSON where asked', async () => {
  const { out } = await run('secret', ['--json'])
  expect(await verifyPassword('secret', JSON.parse(out).passwordHash)).toBe(true)
})

it.each([
  ['nothing', ''],
  ['an empty line', '\n'],
  ['two lines', 'one\ntwo\n'],
  ['too long a line', 'x'.repeat(5000)],
  ['something else than UTF-8', Buffer.from('p\xe4ss', 'latin1')],
])('refuses %s', async (_, input) => {
  expect(await run(input)).toMatchObject({ out: '', code: 1 })
})
