/** What is submitted arrives octet for octet, below the one trace field that the relay adds. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { type Mail, submit } from '../support/submit.ts'

const header = 'From: <sender@example.com>\r\nSubject: Content\r\n\r\n'
const withHeader = (body: string | Buffer): Buffer => Buffer.concat([Buffer.from(header), Buffer.from(body)])

/** Every octet but NUL, CR and LF, in lines that begin with each of them. */
function everyOctet(): Buffer {
  const octets = Array.from({ length: 255 }, (_, i) => i + 1).filter((octet) => octet !== 13 && octet !== 10)
  return Buffer.from(octets.flatMap((octet) => [octet, ...octets, 13, 10]))
}

/** Random octets as a sender of BODY=8BITMIME may send them: no NUL, no bare CR or LF, no endless line. */
function binaryLines(sizeBytes: number): Buffer {
  const bytes = randomBytes(sizeBytes)
  for (let i = 0; i < bytes.length; i++) if ([0, 10, 13].includes(bytes[i]!)) bytes[i] = 46
  for (let i = 700; i < bytes.length; i += 700) bytes.write('\r\n', i - 2, 'latin1')
  bytes.write('\r\n', bytes.length - 2, 'latin1')
  return bytes
}

const contents: Readonly<Record<string, Omit<Mail, 'to'>>> = {
  'a body of dots': { content: withHeader('.\r\n..\r\n...\r\n.x\r\n\r\n.\r\n') },
  'no body': { content: header.slice(0, -2) },
  'an empty body': { content: header },
  'no header': { content: 'Nothing here is a header\r\n' },
  'nothing at all': { content: '' },
  'a dot alone': { content: '.\r\n' },
  'blank lines at the end': { content: withHeader('text\r\n\r\n\r\n\r\n') },
  'a line of 60,000 octets': { content: withHeader(`${'x'.repeat(60_000)}\r\nshort\r\n`) },
  'lines that look like mail commands': { content: withHeader('QUIT\r\nRSET\r\nMAIL FROM:<a@b>\r\n') },
  'every octet but NUL': { content: withHeader(everyOctet()), parameters: 'BODY=8BITMIME' },
  '8-bit octets that were not announced': { content: withHeader('Gr\u00fc\u00dfe \u2709\r\n') },
  'a header in UTF-8': { content: 'Subject: Gr\u00fc\u00dfe\r\n\r\nx\r\n', parameters: 'SMTPUTF8' },
  'random octets, more than memory is used for': {
    content: withHeader(binaryLines(3_000_000)),
    parameters: 'BODY=8BITMIME',
  },
}

describe('through the relay', () => {
  it('every kind of content arrives as it was', async () => {
    const host = await startHost()
    const relay = await startRelay({ connectors: [connectorTo(host.port)] })
    const accepted = []
    const altered: string[] = []
    for (const [index, [kind, mail]] of Object.entries(contents).entries()) {
      const recipient = `content-${index}@example.org`
      accepted.push(await submit(relay, { ...mail, to: [recipient] }))
      await host.received(index + 1)
      if (!arrivedAs(host, { recipient, content: Buffer.from(mail.content!) })) altered.push(kind)
    }
    expect(altered).toEqual([])
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: Object.keys(contents).length }),
    )
  })

  it('a message of 30 MB arrives as it was', async () => {
    const host = await startHost()
    const relay = await startRelay({ connectors: [connectorTo(host.port)] })
    const content = withHeader(binaryLines(30 * 1024 ** 2))
    const accepted = [
      await submit(relay, { content, to: ['large@example.org'], parameters: 'BODY=8BITMIME' }),
    ]
    await host.received(1)
    expect(arrivedAs(host, { recipient: 'large@example.org', content })).toBe(true)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
  })
})

/** Below exactly one Received field: nothing else may come before what was submitted. */
function arrivedAs(host: Sandbox, { recipient, content }: { recipient: string; content: Buffer }): boolean {
  const { raw } = host.messages.find(({ envelope }) => envelope.to[0]!.address === recipient)!
  const added = raw.subarray(0, raw.length - content.length).toString('latin1')
  return (
    /^Received: [^\r\n]*\r\n([ \t][^\r\n]*\r\n)*$/.test(added) && raw.subarray(added.length).equals(content)
  )
}
