/**
 * The import rules of design §4, held against the real tree: imports go only downward, each library has one
 * module, decisions touch neither I/O nor clock nor chance. A new file that no row below covers fails here
 * until someone says which layer it belongs to.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const layers = ['words', 'decisions', 'shells', 'surfaces'] as const
type Layer = (typeof layers)[number]

/** First match wins: files before their folders. Paths are below src. */
const layerOf: readonly (readonly [RegExp, Layer])[] = [
  [/^(address|assert-never|brief-map|clock|envelope|instant|message-id|reply)\.ts$/, 'words'],
  [/^queue\/(queue|record)\.ts$/, 'words'],
  [/^delivery\/(attempt|status)\.ts$/, 'words'],
  [/^smtp\/transaction\.ts$/, 'words'],
  [/^observe\/events\.ts$/, 'words'],
  [/^state\/state\.ts$/, 'words'],

  [/^route\//, 'decisions'],
  [/^config\/(load|secret-reader)\.ts$/, 'shells'],
  [/^config\//, 'decisions'],
  [/^smtp\/(access|intake|parameters|queue-items|received)\.ts$/, 'decisions'],
  // What streams, or knows threads and files, is a shell; the rest reads and changes bytes in memory.
  [/^message\/content\/(archive|inspector[a-z-]*|mime|zip)\.ts$/, 'shells'],
  [/^message\/edit\/(disclaimer|edits|message-wrap)\.ts$/, 'shells'],
  [/^message\//, 'decisions'],
  [/^policy\/rules\//, 'decisions'],
  [/^policy\/(groups|limit-holder|limit-windows|network-list|sender-rights)\.ts$/, 'decisions'],
  [
    /^policy\/checkers\/(breaker|checker|delegation-protocol|json-answer|outside-reply|(rspamd|webhook)-answer|milter-(changes|header|macros|protocol))\.ts$/,
    'decisions',
  ],
  [/^queue\/(operator|rate)\.ts$/, 'decisions'],
  [/^tracking\/(csv|files|filter|lines|tracked-event)\.ts$/, 'decisions'],
  [
    /^delivery\/(connector-state|disposition|dsn|own-message|rate|reroute|schedule|tls-options)\.ts$/,
    'decisions',
  ],
  [/^observe\/(live-samples|queue-rates)\.ts$/, 'decisions'],
  [/^observe\/protocol-log\/(dialogue-text|record|retention|tls-text)\.ts$/, 'decisions'],

  [/^setup\/(setup|state-key)\.ts$/, 'shells'],
  [/^setup\//, 'decisions'],
  [/^state\/(record|secrets|snapshot)\.ts$/, 'decisions'],

  [/^(delivery|message|observe|policy|queue|smtp|state|tracking)\//, 'shells'],

  [/^(admin|cli|lab|page)\//, 'surfaces'],
  [/^(main|relay|stores)\.ts$/, 'surfaces'],
]

/** Where a library may be imported; `once` is the rule of one module for each library. */
const libraries: Record<string, { readonly within: RegExp; readonly once: boolean }> = {
  'smtp-server': { within: /^smtp\/listener\.ts$/, once: true },
  nodemailer: { within: /^delivery\/smarthost\.ts$/, once: true },
  libmime: { within: /^message\/encoded-words\.ts$/, once: true },
  yauzl: { within: /^message\/content\/zip\.ts$/, once: true },
  re2js: { within: /^policy\/rules\/pattern\.ts$/, once: true },
  ioredis: { within: /^queue\/redis\//, once: true },
  lmdb: { within: /^queue\/embedded\//, once: true },
  'prom-client': { within: /^observe\/metrics\.ts$/, once: true },
  pino: { within: /^observe\//, once: false },
  zod: { within: /^(config|queue|setup|admin)\/|^policy\/checkers\/[a-z]+-answer\.ts$/, once: false },
  yaml: { within: /^config\//, once: false },
  'ipaddr.js': { within: /^smtp\/|^config\//, once: false },
  selfsigned: { within: /^smtp\//, once: false },
  fastify: { within: /^admin\//, once: false },
  preact: { within: /^page\//, once: false },
  uplot: { within: /^page\//, once: false },
  vite: { within: /^page\/vite\.config\.ts$/, once: true },
  commander: { within: /^cli\/|^main\.ts$/, once: false },
}

/** Modules of Node that decisions and words may use, and of the I/O ones the names that do no I/O. */
const pureModules: Record<string, readonly string[] | 'all'> = {
  'node:buffer': 'all',
  'node:url': 'all',
  'node:net': ['BlockList', 'isIP', 'isIPv4', 'isIPv6'],
  'node:tls': ['checkServerIdentity'],
  'node:crypto': ['X509Certificate', 'createHash', 'createPrivateKey', 'timingSafeEqual'],
}

/** Who may ask for time or chance among words and decisions. */
const impure: Record<string, readonly string[]> = {
  'clock.ts': ['Date.now'],
  'message-id.ts': ['node:crypto'],
  // A nonce that could be foretold would be none.
  'state/secrets.ts': ['node:crypto'],
}

const forbiddenNames = ['index', 'utils', 'types', 'helpers', 'constants', 'misc', 'common']
const ambient =
  /\b(Date\.now|Math\.random|performance\.now|setTimeout|setInterval|setImmediate|process\.\w+)|(new Date)\(\)/g

interface Import {
  /** The target: a path below src, or a module's name. */
  readonly target: string
  readonly local: boolean
  readonly typeOnly: boolean
  readonly names: readonly string[]
}

type Tree = ReadonlyMap<string, string>

function violations(tree: Tree): string[] {
  const found: string[] = []
  const importers = new Map<string, string[]>()
  for (const [path, source] of tree) {
    const text = withoutComments(source)
    const layer = layerOf.find(([pattern]) => pattern.test(path))?.[1]
    const imports = importsOf(path, text)
    if (layer === undefined) {
      found.push(`${path}: belongs to no layer; give it a row in test/layers.test.ts`)
      continue
    }
    found.push(...ownViolations(path, text))
    for (const each of imports) {
      if (each.local) found.push(...localViolations(path, layer, each))
      else if (each.target.startsWith('node:')) found.push(...nodeViolations(path, layer, each))
      else if (!each.typeOnly && !path.startsWith('lab/')) {
        const library = packageOf(each.target)
        if (!libraries[library])
          found.push(`${path}: imports ${library}, which has no row in test/layers.test.ts`)
        else if (!libraries[library].within.test(path)) found.push(`${path}: must not import ${library}`)
        importers.set(library, [...(importers.get(library) ?? []), path])
      }
    }
    if (layer === 'words' || layer === 'decisions')
      for (const [, call, date] of text.matchAll(ambient)) {
        const name = call ?? date!
        if (!impure[path]?.includes(name)) found.push(`${path}: must not use ${name}`)
      }
  }
  for (const [library, paths] of importers)
    if (libraries[library]?.once && new Set(paths).size > 1)
      found.push(`${library}: imported by ${[...new Set(paths)].join(' and ')}; one module for each library`)
  return [...found, ...cycles(tree)]
}

function ownViolations(path: string, text: string): string[] {
  const found: string[] = []
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.tsx?$/, '')
  if (forbiddenNames.includes(name)) found.push(`${path}: is not named for what it holds`)
  // What vite reads has to be one.
  const isConfig = path === 'page/vite.config.ts'
  if (!isConfig && /^export default\b|\bas default\b/m.test(text)) found.push(`${path}: has a default export`)
  return found
}

function localViolations(path: string, layer: Layer, each: Import): string[] {
  const target = layerOf.find(([pattern]) => pattern.test(each.target))?.[1]
  // A target without a layer is reported where it stands; one outside the tree is not the program's.
  if (target === undefined) return each.target.startsWith('..') ? [`${path}: imports from outside src`] : []
  return layers.indexOf(target) > layers.indexOf(layer)
    ? [`${path}: ${layer} must not import ${target} (${each.target})`]
    : []
}

function nodeViolations(path: string, layer: Layer, each: Import): string[] {
  if (layer !== 'words' && layer !== 'decisions') return []
  if (each.typeOnly || impure[path]?.includes(each.target)) return []
  const allowed = pureModules[each.target] ?? []
  if (allowed === 'all') return []
  return each.names.length > 0 && each.names.every((name) => allowed.includes(name))
    ? []
    : [`${path}: must not import ${each.names.join(', ') || 'all'} from ${each.target}`]
}

/** Each cycle once, as the path that leads back to its beginning; erased type imports count too. */
function cycles(tree: Tree): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at !== -1) found.push(`import cycle: ${[...trail.slice(at), path].join(' > ')}`)
    if (at !== -1 || done.has(path)) return
    for (const each of importsOf(path, withoutComments(tree.get(path) ?? '')))
      if (each.local && tree.has(each.target)) visit(each.target, [...trail, path])
    done.add(path)
  }
  for (const path of tree.keys()) visit(path, [])
  return found
}

const fromClause =
  /^\s*(?:import|export)\s+(type\s+)?((?:[\w$]+\s*,?\s*)?(?:\{[^}]*\}|\*(?:\s*as\s+[\w$]+)?)?)\s*from\s*'([^']+)'/gm
const withoutClause = /^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm

function importsOf(path: string, text: string): Import[] {
  const found: Import[] = []
  for (const [, type, clause, target] of text.matchAll(fromClause)) {
    const listed = (/\{([^}]*)\}/.exec(clause!)?.[1] ?? '').split(',').map((name) => name.trim())
    const values = listed.filter((name) => name !== '' && !name.startsWith('type '))
    const whole = clause!.replace(/\{[^}]*\}/, '').replace(/[,\s]/g, '') !== ''
    const typeOnly = type !== undefined || (!whole && values.length === 0)
    const names = whole ? [] : values.map((name) => name.split(/\s+as\s+/)[0]!)
    found.push({ ...resolve(path, target!), typeOnly, names })
  }
  for (const [, bare, dynamic] of text.matchAll(withoutClause))
    found.push({ ...resolve(path, (bare ?? dynamic)!), typeOnly: false, names: [] })
  return found
}

function resolve(path: string, target: string): { target: string; local: boolean } {
  return target.startsWith('.') ? { target: join(path, '..', target), local: true } : { target, local: false }
}

const packageOf = (target: string): string =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')

const withoutComments = (source: string): string =>
  source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')

function sources(): Tree {
  const root = new URL('../src', import.meta.url).pathname
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.tsx?$/.test(path),
  )
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}

describe('the source tree', () => {
  it('keeps the import rules', () => {
    expect(violations(sources())).toEqual([])
  })
  it('is read at all', () => {
    expect([...sources().keys()]).toEqual(expect.arrayContaining(['reply.ts', 'queue/queue.ts']))
  })
})

describe('the rules', () => {
  it.each<[string, Record<string, string>, string]>([
    [
      'a file in no layer',
      { 'odd/thing.ts': '' },
      'odd/thing.ts: belongs to no layer; give it a row in test/layers.test.ts',
    ],
    [
      'an import upward',
      { 'route/a.ts': `import { x } from '../smtp/listener.ts'` },
      'route/a.ts: decisions must not import shells (smtp/listener.ts)',
    ],
    [
      'an upward import of types',
      { 'reply.ts': `import type { X } from './route/a.ts'` },
      'reply.ts: words must not import decisions (route/a.ts)',
    ],
    [
      'an upward re-export',
      { 'smtp/a.ts': `export { x } from '../lab/b.ts'` },
      'smtp/a.ts: shells must not import surfaces (lab/b.ts)',
    ],
    [
      'an upward import() at run time',
      { 'smtp/a.ts': `const x = await import('../lab/b.ts')` },
      'smtp/a.ts: shells must not import surfaces (lab/b.ts)',
    ],
    [
      'an import over several lines',
      { 'route/a.ts': `import {\n  x,\n  y,\n} from '../smtp/listener.ts'` },
      'route/a.ts: decisions must not import shells (smtp/listener.ts)',
    ],
    [
      'an import from outside',
      { 'smtp/a.ts': `import { x } from '../../test/b.ts'` },
      'smtp/a.ts: imports from outside src',
    ],
    [
      'a library elsewhere',
      { 'smtp/a.ts': `import IORedis from 'ioredis'` },
      'smtp/a.ts: must not import ioredis',
    ],
    [
      "a library's inner module",
      { 'smtp/a.ts': `import C from 'nodemailer/lib/smtp-connection/index.js'` },
      'smtp/a.ts: must not import nodemailer',
    ],
    [
      'a library nobody listed',
      { 'smtp/a.ts': `import x from 'left-pad'` },
      'smtp/a.ts: imports left-pad, which has no row in test/layers.test.ts',
    ],
    [
      'a library in two modules',
      {
        'queue/redis/a.ts': `import { Redis } from 'ioredis'`,
        'queue/redis/b.ts': `import { Redis } from 'ioredis'`,
      },
      'ioredis: imported by queue/redis/a.ts and queue/redis/b.ts; one module for each library',
    ],
    [
      'a decision that reads files',
      { 'route/a.ts': `import { readFileSync } from 'node:fs'` },
      'route/a.ts: must not import readFileSync from node:fs',
    ],
    [
      'a decision that connects',
      { 'route/a.ts': `import { isIP, connect } from 'node:net'` },
      'route/a.ts: must not import isIP, connect from node:net',
    ],
    [
      'a decision that imports all of a module',
      { 'route/a.ts': `import * as net from 'node:net'` },
      'route/a.ts: must not import all from node:net',
    ],
    [
      'a decision that asks for the time',
      { 'route/a.ts': 'const now = Date.now()' },
      'route/a.ts: must not use Date.now',
    ],
    [
      'a decision that makes its own date',
      { 'route/a.ts': 'const now = new Date()' },
      'route/a.ts: must not use new Date',
    ],
    [
      'a decision that throws dice',
      { 'route/a.ts': 'const x = Math.random()' },
      'route/a.ts: must not use Math.random',
    ],
    ['a decision that waits', { 'route/a.ts': 'setTimeout(f, 1)' }, 'route/a.ts: must not use setTimeout'],
    [
      'a file without a name of its own',
      { 'smtp/utils.ts': '' },
      'smtp/utils.ts: is not named for what it holds',
    ],
    ['a default export', { 'smtp/a.ts': 'export default 1' }, 'smtp/a.ts: has a default export'],
    [
      'a renamed default export',
      { 'smtp/a.ts': 'const x = 1\nexport { x as default }' },
      'smtp/a.ts: has a default export',
    ],
    [
      'a cycle',
      { 'smtp/a.ts': `import { b } from './b.ts'`, 'smtp/b.ts': `import { a } from './a.ts'` },
      'import cycle: smtp/a.ts > smtp/b.ts > smtp/a.ts',
    ],
  ])('refuse %s', (_name, tree, violation) => {
    expect(violations(new Map(Object.entries(tree)))).toEqual([violation])
  })

  it.each<[string, Record<string, string>]>([
    [
      'imports downward and beside',
      { 'smtp/a.ts': `import { x } from '../reply.ts'\nimport { y } from './b.ts'`, 'smtp/b.ts': '' },
    ],
    ['what a comment mentions', { 'route/a.ts': `/** import { x } from '../cli/a.ts' */\n// Date.now()\n` }],
    [
      'the parts of node:net that do no I/O',
      { 'route/a.ts': `import { isIP, type Socket } from 'node:net'` },
    ],
    ['types of an I/O module', { 'route/a.ts': `import type { TlsOptions } from 'node:tls'` }],
    ['a date of a given instant', { 'route/a.ts': 'const text = new Date(now).toUTCString()' }],
    ['any library in the lab', { 'lab/a.ts': `import { SMTPServer } from 'smtp-server'` }],
    ['the clock itself', { 'clock.ts': 'Date.now()' }],
  ])('allow %s', (_name, tree) => {
    expect(violations(new Map(Object.entries(tree)))).toEqual([])
  })
})
