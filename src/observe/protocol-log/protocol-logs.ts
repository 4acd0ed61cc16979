/**
 * Exchange's SMTP protocol logs: one of what clients say to our listeners, one of what we say to smart hosts, each in a
 * directory of its own below `dataDir/protocol-logs`. Listeners and connectors ask for a session where they are
 * configured to (`protocolLogging: verbose`); elsewhere nothing is made, and nothing costs.
 */
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/schema.ts'
import type { Log } from '../log.ts'
import { LogFiles } from './log-files.ts'
import { ProtocolSession } from './protocol-session.ts'
import { type Direction, formatEndpoint } from './record.ts'

export interface ProtocolLogsOptions {
  readonly dataDir: string
  readonly hostname: string
  readonly limits: Config['protocolLogs']
  readonly clock: Clock
  readonly log: Log
}

export class ProtocolLogs {
  readonly #options: ProtocolLogsOptions
  readonly #receive: LogFiles
  readonly #send: LogFiles
  #nextId: bigint

  constructor(options: ProtocolLogsOptions) {
    this.#options = options
    this.#receive = this.#files('receive')
    this.#send = this.#files('send')
    // Sixteen hexadecimal digits, as Exchange's; no other start of the relay uses the same ones again.
    this.#nextId = BigInt(options.clock.now()) << 20n
  }

  /** A session with a client, who has just connected. */
  receive(listener: string, socket: Socket): ProtocolSession {
    const session = this.#session('receive', {
      connector: `${this.#options.hostname}\\${listener}`,
      remote: formatEndpoint(socket.remoteAddress, socket.remotePort),
    })
    session.connected(formatEndpoint(socket.localAddress, socket.localPort))
    return session
  }

  /** A session with a smart host, which is about to be called. */
  send(connector: string, host: { address: string; port: number }): ProtocolSession {
    const session = this.#session('send', { connector, remote: formatEndpoint(host.address, host.port) })
    session.note('attempting to connect')
    return session
  }

  /** Resolves when everything told until now is in the files. */
  async flush(): Promise<void> {
    await Promise.all([this.#receive.flush(), this.#send.flush()])
  }

  async close(): Promise<void> {
    await Promise.all([this.#receive.close(), this.#send.close()])
  }

  #files(direction: Direction): LogFiles {
    const { dataDir, limits, clock, log } = this.#options
    return new LogFiles(direction, {
      directory: join(dataDir, 'protocol-logs', direction),
      maxFileBytes: limits.maxFileSize,
      maxDirectoryBytes: limits.maxDirectorySize,
      maxAgeMs: limits.maxAge,
      clock,
      log,
    })
  }

  #session(direction: Direction, peer: { connector: string; remote: string }): ProtocolSession {
    const files = direction === 'receive' ? this.#receive : this.#send
    const id = (this.#nextId++).toString(16).toUpperCase().padStart(16, '0')
    const { clock } = this.#options
    return new ProtocolSession({ direction, id, clock, write: (line) => files.write(line), ...peer })
  }
}
