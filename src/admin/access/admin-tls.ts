/**
 * TLS on the admin port, with the operator's certificate: read at the start, and again when its files change. A pair
 * that cannot be used leaves the one before in place.
 */
import type { Server } from 'node:https'
import type { Log } from '../../observe/log.ts'
import { type CertificatePaths, CertificateWatch, type KeyPair, readKeyPair } from '../../smtp/certificate.ts'

/** An idle connection must not wait for long with its handshake: there are few. */
const handshakeTimeout = 10_000
const minVersion = 'TLSv1.2'

export class AdminTls {
  readonly #paths: CertificatePaths
  readonly settings: KeyPair & { readonly minVersion: 'TLSv1.2'; readonly handshakeTimeout: number }
  #watch: CertificateWatch | null = null

  private constructor(paths: CertificatePaths, pair: KeyPair) {
    this.#paths = paths
    this.settings = { ...pair, minVersion, handshakeTimeout }
  }

  static async read(paths: CertificatePaths): Promise<AdminTls> {
    return new AdminTls(paths, await readKeyPair(paths))
  }

  async follow(server: Pick<Server, 'setSecureContext'>, log: Log): Promise<void> {
    this.#watch = await CertificateWatch.start(this.#paths, {
      onChange: (pair) => {
        server.setSecureContext({ ...pair, minVersion })
        log.info('The certificate of the admin port has been read again')
      },
      onError: (err) =>
        log.error({ err }, 'The certificate of the admin port cannot be used, the one before stays'),
    })
  }

  stop(): void {
    this.#watch?.stop()
  }
}
