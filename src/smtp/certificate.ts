/**
 * The certificate a listener shows: the operator's files, read again when they change, or a self-signed one
 * made once and kept in `dataDir`. Exchange does not check a smart host's certificate unless it is told to, so
 * the self-signed one is enough to encrypt; to be verified it must be given to the clients, and so it stays
 * the same over restarts until its names change or it runs out.
 */
import { X509Certificate } from 'node:crypto'
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'

/** PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export interface CertificatePaths {
  readonly cert: string
  readonly key: string
}

/** Reads the pair and proves that certificate and key belong together. */
export async function readKeyPair(paths: CertificatePaths): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readFile(paths.cert, 'utf8'), readFile(paths.key, 'utf8')])
  createSecureContext({ cert, key })
  return { cert, key }
}

const pollMs = 2000

/**
 * Tells when the files have changed. It looks at them again and again, because a file watch does not see what
 * is behind a symbolic link that was moved, and that is how certificates are renewed. A pair that is not
 * complete yet (one file is new, the other is not) is an error told once; the next look may find it whole.
 */
export class CertificateWatch {
  readonly #paths: CertificatePaths
  readonly #options: { onChange(pair: KeyPair): void; onError(error: unknown): void }
  readonly #timer: NodeJS.Timeout
  #seen: string
  #busy = false

  private constructor(paths: CertificatePaths, seen: string, options: CertificateWatchOptions) {
    this.#paths = paths
    this.#seen = seen
    this.#options = options
    this.#timer = setInterval(() => void this.#look(), pollMs).unref()
  }

  static async start(paths: CertificatePaths, options: CertificateWatchOptions): Promise<CertificateWatch> {
    return new CertificateWatch(paths, await fingerprint(paths), options)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      const found = await fingerprint(this.#paths)
      if (found === this.#seen) return
      this.#seen = found
      this.#options.onChange(await readKeyPair(this.#paths))
    } catch (error) {
      this.#options.onError(error)
    } finally {
      this.#busy = false
    }
  }
}

export interface CertificateWatchOptions {
  onChange(pair: KeyPair): void
  onError(error: unknown): void
}

async function fingerprint(paths: CertificatePaths): Promise<string> {
  const files = await Promise.all(
    [paths.cert, paths.key].map((path) =>
      stat(path, { bigint: true }).then(
        ({ ino, size, mtimeNs }) => `${ino} ${size} ${mtimeNs}`,
        (error: NodeJS.ErrnoException) => `${error.code}`,
      ),
    ),
  )
  return files.join(', ')
}

const validForYears = 10
/** It is replaced at a start this long before its end, so that a relay that runs on does not show an expired one. */
const renewBeforeMs = 365 * 86_400_000

/**
 * The self-signed pair in `file`, made where there is none with exactly these names. Certificate and key are
 * in one file that is replaced as a whole, so they always belong together.
 */
export async function selfSignedKeyPair(options: {
  dataDir: string
  file: string
  names: readonly string[]
  now: number
}): Promise<KeyPair> {
  const path = join(options.dataDir, options.file)
  const names = [...new Set(options.names)]
  const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (kept !== null && isStillGood(kept, { names, now: options.now })) return { cert: kept, key: kept }
  const made = await makeSelfSigned(names, options.now)
  const pem = `${made.key.trimEnd()}\n${made.cert.trimEnd()}\n`
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 })
  await writeDurably(path, pem)
  return { cert: pem, key: pem }
}

function isStillGood(pem: string, wanted: { names: readonly string[]; now: number }): boolean {
  try {
    const certificate = new X509Certificate(pem)
    createSecureContext({ cert: pem, key: pem })
    const names = (certificate.subjectAltName ?? '').split(', ').sort()
    const expected = wanted.names.map((name) =>
      isLiteral(name) ? `IP Address:${address(name)}` : `DNS:${name}`,
    )
    const inTime = Date.parse(certificate.validTo) - renewBeforeMs > wanted.now
    return inTime && names.join() === expected.sort().join()
  } catch {
    // Whatever is wrong with it, a new one puts it right.
    return false
  }
}

/** RSA, because the printers and devices that submit mail may know nothing else. */
async function makeSelfSigned(names: readonly string[], now: number): Promise<KeyPair> {
  // Loaded where it is needed, as a rule once in a relay's life: its libraries take 8 MB.
  const { generate } = await import('selfsigned')
  const notAfterDate = new Date(now)
  notAfterDate.setUTCFullYear(notAfterDate.getUTCFullYear() + validForYears)
  const made = await generate([{ name: 'commonName', value: names[0]!.slice(0, 64) }], {
    keyType: 'rsa',
    keySize: 2048,
    algorithm: 'sha256',
    // A client whose clock is behind ours must not find it not yet valid.
    notBeforeDate: new Date(now - 86_400_000),
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((name) =>
          isLiteral(name) ? { type: 7 as const, ip: address(name) } : { type: 2 as const, value: name },
        ),
      },
    ],
  })
  return { cert: made.cert, key: made.private }
}

/** A hostname may be an address literal (RFC 5321 §4.1.3). */
const isLiteral = (name: string): boolean => name.startsWith('[')
const address = (literal: string): string => literal.replace(/^\[(?:IPv6:)?|\]$/g, '')

async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    // An older file with other rights may have been left behind.
    await file.chmod(0o600)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}
