/**
 * Certificates as smart hosts have them, right and wrong, made by the openssl program. One directory for each
 * test file, removed when the test that made it says so.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  /** PEM, leaf first. */
  readonly cert: string
  readonly key: string
}

export interface Certificates {
  /** PEM of the root that issued all but the self-signed one. */
  readonly ca: string
  /** PEM of a root that issued none of them. */
  readonly otherCa: string
  /** For smtp.example.com. */
  readonly good: Certificate
  readonly wrongName: Certificate
  readonly expired: Certificate
  readonly notYetValid: Certificate
  readonly selfSigned: Certificate
  /** For 127.0.0.1, and no name. */
  readonly address: Certificate
  /** By an intermediate authority whose certificate is sent along, and by the same without it. */
  readonly chained: Certificate
  readonly withoutIntermediate: Certificate
  readonly client: Certificate
  readonly directory: string
  remove(): void
}

const year = '20990101000000Z'

export function makeCertificates(): Certificates {
  const authority = new Authority(mkdtempSync(join(tmpdir(), 'relay-certificates-')))
  const root = authority.selfSigned('root', { ca: true })
  const intermediate = authority.issued('intermediate', root, { ca: true })
  const chained = authority.issued('chained', intermediate, { names: 'DNS:smtp.example.com' })
  return {
    ca: root.cert,
    otherCa: authority.selfSigned('other', { ca: true }).cert,
    good: authority.issued('good', root, { names: 'DNS:smtp.example.com' }),
    wrongName: authority.issued('wrong-name', root, { names: 'DNS:smtp.example.net' }),
    expired: authority.issued('expired', root, { names: 'DNS:smtp.example.com', until: '20210101000000Z' }),
    notYetValid: authority.issued('early', root, { names: 'DNS:smtp.example.com', from: '20980101000000Z' }),
    selfSigned: authority.selfSigned('self-signed', { names: 'DNS:smtp.example.com' }),
    address: authority.issued('address', root, { names: 'IP:127.0.0.1' }),
    chained: { cert: chained.cert + intermediate.cert, key: chained.key },
    withoutIntermediate: chained,
    client: authority.issued('client', root, { names: 'DNS:relay.example.com' }),
    directory: authority.directory,
    remove: () => rmSync(authority.directory, { recursive: true, force: true }),
  }
}

interface Issue {
  readonly ca?: boolean
  /** A subjectAltName of openssl. */
  readonly names?: string
  readonly from?: string
  readonly until?: string
}

/** `openssl ca` is the only one that sets the first day of validity. */
class Authority {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
    writeFileSync(this.#path('index.txt'), '')
    writeFileSync(this.#path('serial'), '01')
    writeFileSync(
      this.#path('ca.cnf'),
      [
        '[ca]\ndefault_ca = here',
        `[here]\ndatabase = ${this.#path('index.txt')}\nserial = ${this.#path('serial')}`,
        `new_certs_dir = ${directory}\ndefault_md = sha256\npolicy = any\nunique_subject = no`,
        '[any]\ncommonName = supplied',
      ].join('\n'),
    )
  }

  selfSigned(name: string, issue: Issue): Certificate {
    this.#request(name)
    this.#sign(name, issue, ['-selfsign', '-keyfile', this.#path(`${name}.key`)])
    return this.#read(name)
  }

  issued(name: string, by: Certificate, issue: Issue): Certificate {
    this.#request(name)
    writeFileSync(this.#path('issuer.pem'), by.cert)
    writeFileSync(this.#path('issuer.key'), by.key)
    this.#sign(name, issue, ['-cert', this.#path('issuer.pem'), '-keyfile', this.#path('issuer.key')])
    return this.#read(name)
  }

  #request(name: string): void {
    this.#openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', [
      ...[
        '-keyout',
        this.#path(`${name}.key`),
        '-out',
        this.#path(`${name}.csr`),
        '-subj',
        `/CN=${name} of a test`,
      ],
    ])
  }

  #sign(name: string, issue: Issue, signer: string[]): void {
    const extensions = [`basicConstraints = critical, CA:${issue.ca ? 'TRUE' : 'FALSE'}`]
    if (issue.names !== undefined) extensions.push(`subjectAltName = ${issue.names}`)
    writeFileSync(this.#path('extensions.cnf'), extensions.join('\n'))
    this.#openssl('ca', '-batch', '-notext', [
      ...['-config', this.#path('ca.cnf'), '-extfile', this.#path('extensions.cnf')],
      ...['-startdate', issue.from ?? '20200101000000Z', '-enddate', issue.until ?? year],
      ...['-in', this.#path(`${name}.csr`), '-out', this.#path(`${name}.pem`)],
      ...signer,
    ])
  }

  #openssl(...args: (string | string[])[]): void {
    execFileSync('openssl', args.flat(), { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  #read(name: string): Certificate {
    return {
      cert: readFileSync(this.#path(`${name}.pem`), 'utf8'),
      key: readFileSync(this.#path(`${name}.key`), 'utf8'),
    }
  }

  #path(name: string): string {
    return join(this.directory, name)
  }
}
