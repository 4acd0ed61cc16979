/** `relay rule …`, over a real admin port. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ruleEndpoints } from '../../src/admin/rules/rule-endpoints.ts'
import { registerRule } from '../../src/cli/rule.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { type AdminPort, localToken, startAdminPort } from '../support/admin-port.ts'
import { plainFile, runSetup } from '../support/running-setup.ts'
import { type Run, runCommand } from './run-command.ts'

const yaml = `${plainFile}
policy: { rules: [{ name: Of the file, enabled: false, actions: { drop: true, audit: low } }] }
`

let port: AdminPort
let directory: string
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))
  writeFileSync(join(directory, 'token'), localToken)
  const running = await runSetup({ yaml })
  const metrics = createMetrics()
  port = await startAdminPort({
    running,
    metrics,
    endpoints: ruleEndpoints({ setup: running.setup, metrics }),
  })
})
afterEach(async () => {
  await port.stop()
  rmSync(directory, { recursive: true })
})

function rule(...args: readonly string[]): Promise<Run> {
  const relay = ['--admin', port.url, '--token-file', join(directory, 'token')]
  return runCommand(registerRule, ['rule', ...args, ...relay])
}

function file(content: string): string {
  const path = join(directory, 'rule.yaml')
  writeFileSync(path, content)
  return path
}

const done = (out: string): Run => ({ out, err: '', code: 0 })

it('adds, shows, changes, moves and removes', async () => {
  const a = 'name: Sales / EU\nconditions: { senderDomainIs: [example.com] }\nactions: { hold: wait }\n'
  expect(await rule('add', file(a))).toEqual(done('Added: Sales / EU (place 1, enforce)\n'))
  expect(await rule('add', file('{"name":"b","actions":{"drop":true}}'), '--place', '1')).toEqual(
    done('Added: b (place 1, enforce)\n'),
  )
  expect((await rule('list')).out).toBe(
    'NAME         ORIGIN  PLACE  MODE      MATCHED  ACTIONS\n' +
      'Of the file  file        1  disabled        0  drop, audit\n' +
      'b            api         1  enforce         0  drop\n' +
      'Sales / EU   api         2  enforce         0  hold\n',
  )
  expect(await rule('move', 'Sales / EU', '1')).toEqual(done('Moved: Sales / EU (place 1, enforce)\n'))
  expect(await rule('mode', 'Sales / EU', 'audit')).toEqual(done('Changed: Sales / EU (place 1, audit)\n'))
  expect(await rule('set', 'b', file('name: c\nactions: { drop: true }\n'))).toEqual(
    done('Changed: c (place 2, enforce)\n'),
  )
  const { out } = await rule('show', 'Sales / EU')
  expect(out).toMatch(/^Rule +Sales \/ EU\nOrigin +api\nPlace +1\nMatched +0\nChanged +\S+ \(.*ago\)\n\n\{\n/)
  expect(JSON.parse(out.slice(out.indexOf('{')))).toMatchObject({
    mode: 'audit',
    conditions: { senderDomainIs: ['example.com'] },
  })
  expect(await rule('remove', 'c')).toEqual(done('Removed: c\n'))
  const names = (await rule('list', '--json')).out.trim().split('\n')
  expect(names.map((line) => JSON.parse(line).name)).toEqual(['Of the file', 'Sales / EU'])
})

it('prints objects for programs', async () => {
  const made = await rule('add', file('name: a\nactions: { drop: true }\n'), '--json')
  expect(JSON.parse(made.out)).toMatchObject({ name: 'a', version: 1, place: 1 })
  expect(JSON.parse((await rule('show', 'a', '--json')).out)).toMatchObject({ name: 'a', matched: 0 })
  expect(JSON.parse((await rule('mode', 'a', 'test', '--json')).out)).toMatchObject({ mode: 'test' })
  expect((await rule('remove', 'a', '--json')).out).toBe('{"removed":1}\n')
})

it('takes a rule as it was shown', async () => {
  await rule('add', file('name: a\nactiveFrom: 2027-01-31\nactions: { routeThrough: 29 }\n'))
  const shown = JSON.parse((await rule('show', 'a', '--json')).out)
  expect(await rule('set', 'a', file(JSON.stringify(shown.rule)))).toEqual(
    done('Changed: a (place 1, enforce)\n'),
  )
})

it.each([
  [['show', 'x'], 1, 'There is no rule x'],
  [['mode', 'Of the file', 'test'], 1, 'stands in the configuration file, which alone can change it'],
  [['remove', 'Of the file'], 1, 'stands in the configuration file, which alone can change it'],
  [['mode', 'x', 'off'], 2, 'Allowed choices are enforce, audit, test'],
  [['move', 'x', '0'], 2, 'It must be a number from 1.'],
  [['add', '/nowhere/rule.yaml'], 1, '/nowhere/rule.yaml cannot be read: there is no such file'],
])('fails: %j', async (args, code, message) => {
  const run = await rule(...args)
  expect(run).toMatchObject({ out: '', code })
  expect(run.err).toContain(message)
})

it.each([
  ['name: [', 1, 'rule.yaml:1: '],
  ['- name: a', 1, 'must hold one rule'],
  ['name: a\nactions: { drop: 1 }', 2, 'error: actions.drop must be true, or left out'],
  ['name: Of the file\nactions: { drop: true }', 1, 'there is a rule Of the file'],
])('adds nothing from a file that says %j', async (content, code, message) => {
  const run = await rule('add', file(content))
  expect(run).toMatchObject({ out: '', code })
  expect(run.err).toContain(message)
  expect(port.setup.current.revision).toBe(0)
})
