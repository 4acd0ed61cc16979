/**
 * The yardstick of the benchmark: smtp-server and nodemailer back to back, nothing between them. A message is
 * taken in, sent on over a kept connection with TLS and AUTH, and answered with what the smart host said. It
 * keeps nothing and promises nothing: what a relay costs above it is the price of its promises.
 */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server'

const [portText, messagesPerConnectionText] = process.argv.slice(2)
const smartHostPort = Number(portText)
const messagesPerConnection = Number(messagesPerConnectionText)

interface Kept {
  readonly connection: SMTPConnection
  messages: number
}

const idle: Kept[] = []

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  size: 100 * 1024 ** 2,
  onData(stream, session, callback) {
    const to = session.envelope.rcptTo.map(({ address }) => address)
    const from = session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address
    collect(stream)
      .then((message) => send({ from, to }, message))
      .then((response) => callback(null, response), callback)
  },
})
server.on('error', (error) => console.error(error.message))
server.listen(0, '127.0.0.1')
await once(server.server, 'listening')
console.log(JSON.stringify({ port: (server.server.address() as AddressInfo).port }))
process.once('SIGTERM', () => process.exit(0))

function collect(stream: SMTPServerDataStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('end', () => resolve(Buffer.concat(chunks)))
    stream.once('error', reject)
  })
}

async function send(envelope: { from: string; to: string[] }, message: Buffer): Promise<string> {
  const kept = idle.pop() ?? { connection: await connect(), messages: 0 }
  const response = await new Promise<string>((resolve, reject) => {
    kept.connection.send(envelope, message, (error, info) =>
      error ? reject(error) : resolve(info!.response!),
    )
  })
  if (++kept.messages < messagesPerConnection) idle.push(kept)
  else kept.connection.quit()
  return response
}

function connect(): Promise<SMTPConnection> {
  const connection = new SMTPConnection({
    host: '127.0.0.1',
    port: smartHostPort,
    requireTLS: true,
    tls: { rejectUnauthorized: false },
  })
  return new Promise((resolve, reject) => {
    connection.once('error', reject)
    connection.connect(() => {
      connection.login({ user: 'sandbox', credentials: { user: 'sandbox', pass: 'sandbox' } }, (error) =>
        error ? reject(error) : resolve(connection),
      )
    })
  })
}
