/** The built page as the port serves it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AdminPort, type Asked, startAdminPort } from '../support/admin-port.ts'

let directory: string
let port: AdminPort

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-page-'))
  writeFileSync(join(directory, 'secret.txt'), 'canary')
  port = await startAdminPort({ pageDir: join(directory, 'page') })
})

afterEach(async () => {
  await port.stop()
  rmSync(directory, { recursive: true })
})

function build(): void {
  mkdirSync(join(directory, 'page', 'assets'), { recursive: true })
  for (const [name, content] of Object.entries({
    'index.html': '<!doctype html><script src="./assets/index-abc.js"></script>',
    'assets/index-abc.js': 'run()',
    'assets/index-abc.css': 'a{}',
    'assets/icon-abc.svg': '<svg/>',
  }))
    writeFileSync(join(directory, 'page', name), content)
}

/** As a browser that nobody has logged in with. */
const get = (path: string, asked: Asked = {}) =>
  port.ask(path, { token: null, headers: { accept: 'text/html' }, ...asked })

it('is said not to be built, until it is', async () => {
  const answer = await get('/')
  expect(answer).toMatchObject({
    code: 503,
    json: { detail: 'The page is not built: npm run build makes it' },
  })
  build()
  expect(await get('/')).toMatchObject({ code: 200 })
})

it('is not built either while only parts of it are there', async () => {
  build()
  rmSync(join(directory, 'page', 'index.html'))
  expect(await get('/')).toMatchObject({ code: 503 })
})

describe('the page', () => {
  beforeEach(build)

  it.each(['/', '/index.html', '/?x=1'])('is at %s, and asked for again each time', async (path) => {
    const answer = await get(path)
    expect(answer.code).toBe(200)
    expect(answer.text).toContain('<!doctype html>')
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    })
    const again = await get(path, { headers: { 'if-none-match': answer.headers.etag! } })
    expect(again).toMatchObject({ code: 304, text: '' })
  })

  it.each([
    ['/assets/index-abc.js', 'text/javascript; charset=utf-8'],
    ['/assets/index-abc.css', 'text/css; charset=utf-8'],
    ['/assets/icon-abc.svg', 'image/svg+xml'],
  ])('has %s, which never changes', async (path, type) => {
    const answer = await get(path)
    expect(answer.code).toBe(200)
    expect(answer.headers['content-type']).toBe(type)
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  })

  it('answers HEAD, and nothing that would change it', async () => {
    const [head, whole] = [await get('/', { method: 'HEAD' }), await get('/')]
    expect(head).toMatchObject({ code: 200, text: '' })
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(whole.text)))
    const answer = await get('/', { method: 'POST', body: {} })
    expect(answer.code).toBe(405)
    expect(answer.headers.allow).toBe('GET, HEAD')
  })

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/assets\\..\\..\\secret.txt',
    '//secret.txt',
    '/assets/',
    '/assets',
    '/assets/index-abc.js%00.html',
    '/queues',
  ])('is nothing else: %s', async (path) => {
    const answer = await get(path)
    expect(answer.code).toBe(404)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.text).not.toContain('canary')
  })
})
