/**
 * A real clamd on a UNIX socket. Its signature database is one line of our own, for the EICAR test string, so that
 * nothing is downloaded.
 */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Daemon, findProgram } from './daemon.ts'

const program = findProgram('clamd')
export const clamdAvailable = program !== null

/** In two halves, so that no scanner takes this file for what it tests. */
export const eicar = `${'X5O!P%@AP[4\\PZX54(P^)7CC)7}$'}${'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'}`

export interface ClamdServer {
  /** As the configuration has it. */
  readonly address: string
  readonly daemon: Daemon
}

/** `settings` are lines of clamd.conf. */
export async function startClamd(settings: readonly string[] = []): Promise<ClamdServer> {
  const socketIn = (directory: string): string => join(directory, 'clamd.socket')
  const daemon = await Daemon.start({
    async command(directory) {
      const database = join(directory, 'database')
      await mkdir(database)
      await writeFile(join(database, 'test.ndb'), `Eicar-Test:0:*:${Buffer.from(eicar).toString('hex')}\n`)
      const lines = [
        'Foreground yes',
        `LocalSocket ${socketIn(directory)}`,
        `DatabaseDirectory ${database}`,
        `TemporaryDirectory ${directory}`,
        'MaxThreads 2',
        'SelfCheck 0',
        ...settings,
      ]
      const file = join(directory, 'clamd.conf')
      await writeFile(file, `${lines.join('\n')}\n`)
      return [program!, '--config-file', file]
    },
    async isReady(directory) {
      const socket = connect(socketIn(directory)).setEncoding('utf8')
      socket.write('zPING\0')
      const [answer] = await once(socket, 'data')
      socket.destroy()
      return answer === 'PONG\0'
    },
  })
  return { address: `unix:${socketIn(daemon.directory)}`, daemon }
}
