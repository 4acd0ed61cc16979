/**
 * One message in is one message out at most. What some servers take for the end of a message, and others do not, never
 * makes a second one, neither of what the relay reads nor of what the smart host reads of the relay.
 */
import { expect, it } from 'vitest'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { type AcceptedMail, balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { SmtpClient } from '../support/smtp-client.ts'

const endings = [
  ...['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r.\r\n', '\n.\r', '\r.\n', '\r\r\n.\r\r\n'],
  ...['\r\n\0.\r\n', '\r\n.\0\r\n', '\r\n.\r\r\n', '\r\n .\r\n', '\r\n. \r\n'],
]

const smuggled =
  'MAIL FROM:<admin@example.com>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nSubject: Smuggled\r\n\r\nGotcha\r\n.\r\n'

it.each(['reject', 'repair'])(
  'nothing is smuggled past a listener that is to %s bare newlines',
  async (bareNewlines) => {
    const host = await startHost()
    const relay = await startRelay({
      listeners: [{ name: 'exchange', port: 0, bareNewlines }],
      connectors: [connectorTo(host.port)],
    })
    const accepted: AcceptedMail[] = []
    for (const [index, ending] of endings.entries()) {
      for (const how of ['whole', 'bytewise'] as const) {
        const to = `${how}-${index}@example.org`
        const replies = await smuggle(relay.port, {
          to,
          how,
          content: `Subject: x\r\n\r\nbody${ending}${smuggled}`,
        })
        if (replies[0]!.startsWith('250')) accepted.push({ from: 'sender@example.com', to: [to] })
        else expect(replies[0]).toMatch(/^55\d 5\.6\.\d+ /)
        // What follows the end that the relay saw is commands, and answered as such: no second message is taken.
        expect(replies.slice(1).filter((reply) => reply.startsWith('354'))).toEqual([])
      }
    }
    await host.received(accepted.length)
    expect(recipientsAt(host)).not.toContain('victim@example.org')
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: accepted.length }),
    )
  },
)

/** The reply to the message, and all that come after it. */
async function smuggle(
  port: number,
  options: { to: string; how: 'whole' | 'bytewise'; content: string },
): Promise<string[]> {
  const client = await SmtpClient.greet({ port })
  await client.command('MAIL FROM:<sender@example.com>')
  await client.command(`RCPT TO:<${options.to}>`)
  await client.command('DATA')
  const bytes = Buffer.from(options.content)
  const pieces = options.how === 'whole' ? [bytes] : [...bytes].map((byte) => Buffer.of(byte))
  for (const piece of pieces)
    await new Promise<void>((resolve) => client.socket.write(piece, () => resolve()))
  client.send('QUIT\r\n')
  const replies: string[] = []
  for (let reply = await client.reply(); reply !== ''; reply = await client.reply()) replies.push(reply)
  client.close()
  return replies
}

const recipientsAt = (host: Sandbox): string[] => host.ledger.flatMap((entry) => entry.to)
