/**
 * The built page. Its files are read once, and nothing else is ever served: what a path says is looked for among their
 * names, never on the disk. Those in assets/ carry a hash of themselves in their names and are kept for good by
 * browsers; index.html names them, and is asked for again each time.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PageFile {
  readonly type: string
  readonly bytes: Buffer
  readonly etag: string
  readonly cacheControl: string
}

/** Beside the built program; also for a program that runs from its sources. */
const builtPage = new URL(import.meta.url.endsWith('.ts') ? '../../dist/page/' : '../page/', import.meta.url)

export class PageFiles {
  readonly #dir: string
  #files: Promise<ReadonlyMap<string, PageFile> | null> | null = null

  constructor(dir: string = fileURLToPath(builtPage)) {
    this.#dir = dir
  }

  /** By their paths: `/`, `/assets/index-abc123.js`. Null where the page is not built. */
  read(): Promise<ReadonlyMap<string, PageFile> | null> {
    this.#files ??= this.#readAll()
    return this.#files
  }

  async #readAll(): Promise<ReadonlyMap<string, PageFile> | null> {
    try {
      const entries = await readdir(this.#dir, { recursive: true, withFileTypes: true })
      const files = new Map<string, PageFile>()
      for (const entry of entries) {
        if (!entry.isFile()) continue
        const file = join(entry.parentPath, entry.name)
        const path = `/${file.slice(join(this.#dir, sep).length).split(sep).join('/')}`
        files.set(path, pageFile(path, await readFile(file)))
      }
      const index = files.get('/index.html')
      return index === undefined ? this.#notBuilt() : files.set('/', index)
    } catch (error) {
      this.#files = null
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /** It may be, by the time somebody looks again. */
  #notBuilt(): null {
    this.#files = null
    return null
  }
}

const year = 365 * 86_400

function pageFile(path: string, bytes: Buffer): PageFile {
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22)
  return {
    type: types[extname(path)] ?? 'application/octet-stream',
    bytes,
    etag: `"${hash}"`,
    cacheControl: path.startsWith('/assets/') ? `public, max-age=${year}, immutable` : 'no-cache',
  }
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}
