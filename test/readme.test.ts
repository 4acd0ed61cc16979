/** What the README repeats from the source stands there exactly, and what it names exists. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { metricsTable } from '../src/observe/metrics.ts'

const readme = readFileSync('README.md', 'utf8')

it('lists every metric as the program declares it', () => {
  expect(readme).toContain(metricsTable().trim())
})

it('links to files that exist', () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1]!)
  expect(links.length).toBeGreaterThan(2)
  expect(links.filter((link) => !existsSync(link))).toEqual([])
})

it('names npm scripts that exist', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const named = [...readme.matchAll(/npm (?:run )?(start|test|bench|[a-z]+)(?=[`\s])/g)]
    .map((match) => match[1]!)
    .filter((name) => !['ci', 'install', 'run'].includes(name))
  expect(named.length).toBeGreaterThan(2)
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([])
})

it('names commands that the program has', () => {
  const commands = new Set([...readme.matchAll(/`relay ([a-z]+)/g)].map((match) => match[1]!))
  const registered = readFileSync('src/main.ts', 'utf8')
  for (const command of commands) {
    expect(registered).toMatch(new RegExp(`register${command[0]!.toUpperCase()}${command.slice(1)}`))
  }
})
