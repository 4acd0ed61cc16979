/**
 * The sandbox's certificate: a self-signed one for this machine's loopback names. A client that is given it
 * as its only authority checks chain and name as it would with a provider's. It is made in memory, or once in a
 * directory, so that a sandbox in its own process has a certificate its clients can read.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Certificate {
  /** PEM. */
  readonly cert: string
  /** PEM. */
  readonly key: string
}

const validForYears = 10

export async function selfSignedCertificate(): Promise<Certificate> {
  const { generate } = await import('selfsigned')
  const notAfterDate = new Date()
  notAfterDate.setFullYear(notAfterDate.getFullYear() + validForYears)
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  return { cert: made.cert, key: made.private }
}

/** Reads `cert.pem` and `key.pem` of the directory; makes both where there are none. */
export async function certificateIn(directory: string): Promise<Certificate> {
  const certFile = join(directory, 'cert.pem')
  const keyFile = join(directory, 'key.pem')
  try {
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const made = await selfSignedCertificate()
  await mkdir(directory, { recursive: true })
  await writeFile(keyFile, made.key, { mode: 0o600 })
  await writeFile(certFile, made.cert)
  return made
}
