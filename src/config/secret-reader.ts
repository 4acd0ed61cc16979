/**
 * Reads what the configuration only refers to: secrets, certificates, keys. What cannot be read is collected,
 * with its place, and the reading goes on. No message holds anything of what was read.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { parseSecretKey, type SecretKey } from '../state/secrets.ts'
import type { Path } from './path.ts'
import { error, type Finding, warning } from './problem.ts'

export type Environment = Readonly<Record<string, string | undefined>>

interface Reference {
  readonly env?: string | undefined
  readonly file?: string | undefined
}

interface CertificateFiles {
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export class SecretReader {
  readonly #env: Environment
  readonly #findings: Finding[] = []

  constructor(env: Environment) {
    this.#env = env
  }

  get findings(): readonly Finding[] {
    return this.#findings
  }

  async secret(reference: Reference | null | undefined, at: Path): Promise<string | null> {
    if (reference?.env !== undefined) return this.#fromEnvironment(reference.env, [...at, 'env'])
    if (reference?.file !== undefined) return this.#fromFile(reference.file, [...at, 'file'])
    return null
  }

  /** One or more certificates to trust. */
  async authorities(file: string | null | undefined, at: Path): Promise<string | null> {
    if (!file) return null
    const pem = await this.#text(file, at)
    if (pem === null) return null
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    const broken = blocks.findIndex((block) => certificate(block) === null)
    if (blocks.length === 0) return this.#refuse(at, `holds no certificate in PEM form: ${file}`)
    if (broken >= 0) return this.#refuse(at, `holds a broken certificate, number ${broken + 1}: ${file}`)
    return pem
  }

  /** A certificate with the private key that belongs to it. */
  async keyPair(
    files: CertificateFiles | null | undefined,
    at: Path,
  ): Promise<{ cert: string; key: string } | null> {
    if (files?.cert === undefined || files.key === undefined) return null
    const [certAt, keyAt] = [
      [...at, 'cert'],
      [...at, 'key'],
    ]
    const [cert, key] = [await this.#text(files.cert, certAt), await this.#text(files.key, keyAt)]
    const parsedCert = cert === null ? null : certificate(cert)
    const parsedKey = key === null ? null : privateKey(key)
    if (cert !== null && parsedCert === null)
      this.#refuse(certAt, `holds no certificate in PEM form: ${files.cert}`)
    if (key !== null && parsedKey === null)
      this.#refuse(keyAt, `holds no private key in PEM form, or one with a passphrase: ${files.key}`)
    if (cert === null || key === null || parsedCert === null || parsedKey === null) return null
    if (!parsedCert.checkPrivateKey(parsedKey))
      return this.#refuse(keyAt, `holds another key than the one of the certificate ${files.cert}`)
    return { cert, key }
  }

  /** A private key that DKIM can sign with: RSA or Ed25519. */
  async dkimKey(file: string | null | undefined, at: Path): Promise<KeyObject | null> {
    if (!file) return null
    const pem = await this.#text(file, at)
    if (pem === null) return null
    const key = privateKey(pem)
    if (key === null)
      return this.#refuse(at, `holds no private key in PEM form, or one with a passphrase: ${file}`)
    const finding = dkimKeyFinding(key, { at, file })
    if (finding !== null) this.#findings.push(finding)
    if (finding?.severity === 'error') return null
    if (await isReadByAll(file))
      this.#findings.push(warning(at, `can be read by every user of this machine (chmod 600): ${file}`))
    return key
  }

  /** A key of the runtime state. */
  async stateKey(reference: Reference | null | undefined, at: Path): Promise<SecretKey | null> {
    const text = await this.secret(reference, at)
    if (text === null) return null
    const key = parseSecretKey(text)
    return 'error' in key ? this.#refuse(at, key.error) : key
  }

  #fromEnvironment(name: string, at: Path): string | null {
    const value = this.#env[name]
    if (value === undefined)
      return this.#refuse(at, `names the environment variable ${name}, which is not set`)
    return this.#usable(value, { at, where: `the environment variable ${name}` })
  }

  async #fromFile(file: string, at: Path): Promise<string | null> {
    const text = await this.#text(file, at)
    // Editors end a file with a line break, which is no part of the secret.
    return text === null ? null : this.#usable(text.replace(/\r?\n$/, ''), { at, where: `the file ${file}` })
  }

  /** A line break or a NUL inside could never be typed as a password, and breaks out of a SASL message. */
  #usable(value: string, { at, where }: { at: Path; where: string }): string | null {
    if (value === '') return this.#refuse(at, `holds no secret: ${where} is empty`)
    if (/[\0\r\n]/.test(value)) return this.#refuse(at, `must be one line: ${where} has several`)
    return value
  }

  async #text(file: string, at: Path): Promise<string | null> {
    try {
      return decodeUtf8(await readFile(file))
    } catch (cause) {
      return this.#refuse(at, `cannot be read: ${reasonOf(cause)}: ${file}`)
    }
  }

  #refuse(at: Path, message: string): null {
    this.#findings.push(error(at, message))
    return null
  }
}

/** Strict, and without a byte order mark: PowerShell writes UTF-16 unless told otherwise, which is refused. */
export function decodeUtf8(bytes: Buffer): string {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  if (text.includes('\0')) throw new TypeError('NUL in a text')
  return text
}

/** Why a file could not be read, for people. */
export function reasonOf(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException
  if (cause instanceof TypeError) return 'it is not text in UTF-8'
  return reasons[code ?? ''] ?? code ?? 'unknown error'
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'it is a directory',
}

/** RFC 8301 §3.2: an RSA key must have 1024 bits and should have 2048; beyond 4096 nobody has to verify it. */
function dkimKeyFinding(key: KeyObject, { at, file }: { at: Path; file: string }): Finding | null {
  const type = key.asymmetricKeyType
  if (type === 'ed25519') return null
  if (type !== 'rsa') return error(at, `holds a key of another type than RSA and Ed25519 (${type}): ${file}`)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < 1024) return error(at, `holds an RSA key of ${bits} bits, which nobody accepts: ${file}`)
  if (bits < 2048) return warning(at, `holds an RSA key of ${bits} bits, where 2048 are usual: ${file}`)
  if (bits > 4096) return warning(at, `holds an RSA key of ${bits} bits, which few verify: ${file}`)
  return null
}

/** Windows has no such bits, and reports them as set. */
async function isReadByAll(file: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(file)).mode & 0o004) !== 0
}

function certificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

function privateKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem)
  } catch {
    return null
  }
}
