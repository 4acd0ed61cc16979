/**
 * OpenDKIM as a milter signs what our milter client tells it, and a verifier finds the signature right: so every octet of
 * header and body was the same on both sides. Where it is missing the tests are skipped, and fail in CI.
 */
import { createVerify, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dkimRecord } from '../../src/message/dkim-record.ts'
import { MilterChecker } from '../../src/policy/checkers/milter.ts'
import { checkedMessage, textOf } from '../support/checked-message.ts'
import { closedPort } from '../support/closed-port.ts'
import { Daemon, findProgram } from '../support/daemon.ts'
import { skipsOpenDkim, verifyWithOpenDkim } from '../support/opendkim.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const records = [dkimRecord({ domain: 'example.com', selector: 'test', publicKey })]

interface Place {
  /** As the relay's configuration has it, and as OpenDKIM's has. */
  readonly address: string
  readonly socket: string
  readonly connect: () => ReturnType<typeof connect>
}

async function placeIn(directory: string, over: 'unix' | 'tcp'): Promise<Place> {
  const path = join(directory, 'milter.socket')
  if (over === 'unix')
    return { address: `unix:${path}`, socket: `local:${path}`, connect: () => connect(path) }
  const port = await closedPort()
  return {
    address: `tcp://127.0.0.1:${port}`,
    socket: `inet:${port}@127.0.0.1`,
    connect: () => connect(port, '127.0.0.1'),
  }
}

class OpenDkim {
  readonly checker: MilterChecker
  readonly #daemon: Daemon

  static async start(canonicalization: string, over: 'unix' | 'tcp'): Promise<OpenDkim> {
    let place: Place | null = null
    const daemon = await Daemon.start({
      async command(directory) {
        place = await placeIn(directory, over)
        return [findProgram('opendkim')!, '-f', '-x', await configure(directory, canonicalization, place)]
      },
      async isReady() {
        const socket = place!.connect()
        await once(socket, 'connect')
        socket.destroy()
        return true
      },
    })
    return new OpenDkim(daemon, place!)
  }

  private constructor(daemon: Daemon, { address }: Place) {
    this.#daemon = daemon
    this.checker = new MilterChecker({
      name: 'opendkim',
      address,
      concurrency: 2,
      hostname: 'relay.example.com',
    })
  }

  async destroy(): Promise<void> {
    await this.checker.close()
    await this.#daemon.destroy()
  }
}

async function configure(directory: string, canonicalization: string, { socket }: Place): Promise<string> {
  const at = (name: string): string => join(directory, name)
  await writeFile(at('key.pem'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 })
  await writeFile(at('clients'), '192.0.2.0/24\n')
  const lines = [
    ...[`Socket ${socket}`, `Canonicalization ${canonicalization}`, `KeyFile ${at('key.pem')}`],
    ...[`InternalHosts ${at('clients')}`, 'Mode s', 'Domain example.com', 'Selector test'],
    ...['RequireSafeKeys false', 'Background no', 'Syslog no'],
  ]
  await writeFile(at('opendkim.conf'), `${lines.join('\n')}\n`)
  return at('opendkim.conf')
}

const usual = 'From: Alice <alice@example.com>\r\nTo: Bob <bob@example.org>\r\n'
const odd = 'Subject:  a\r\n\tb  \r\n  c\r\nReply-To:alice@example.com\r\nDate:\tFri, 11 Jul 2003\r\n'
const messages: readonly (readonly [string, string, string | Buffer])[] = [
  ['a plain message', `${usual}Subject: Hello\r\n\r\n`, 'Hello\r\n'],
  ['folds, tabs and spaces', `${usual}${odd}\r\n`, ' a \r\n\tb\r\n'],
  ['two fields of a name', `${usual}Received: a\r\nReceived: b\r\nSubject: \r\n\r\n`, 'x\r\n'],
  ['octets above 127', `${usual}Subject: Gr\u00fc\u00dfe\r\n\r\n`, Buffer.from('Gr\xfc\xdfe\r\n', 'latin1')],
  ['dots and empty lines', `${usual}\r\n`, '.\r\n..\r\n\r\n.a\r\n\r\n'],
  ['no body', `${usual}\r\n`, ''],
  ['a large body', `${usual}\r\n`, Buffer.alloc(600_000, 'A line of text\r\n')],
]

/** The header as it stands, RFC 6376 §3.4.1: OpenDKIM's own test mode reads over the spaces after a colon. */
function isSignedAsItStands(message: string): boolean {
  const header = message.slice(0, message.indexOf('\r\n\r\n') + 2)
  const [signature, ...fields] = header.match(/\S.*\r\n(?:[ \t].*\r\n)*/g)!
  const names = /\bh=([^;]+)/.exec(signature!)![1]!.replace(/\s/g, '').toLowerCase().split(':')
  const signed = names.map((name) => {
    const at = fields.findLastIndex((field) => field.toLowerCase().startsWith(`${name}:`))
    return at === -1 ? '' : fields.splice(at, 1)[0]!
  })
  const value = /\bb=([^;]+)/.exec(signature!)![1]!.replace(/\s/g, '')
  const bytes = Buffer.from(signed.join('') + signature!.replace(/(\bb=)[^;]*/, '$1'), 'latin1')
  return createVerify('sha256').update(bytes).verify(publicKey, value, 'base64')
}

describe.skipIf(skipsOpenDkim)('OpenDKIM as a milter', () => {
  const daemons: OpenDkim[] = []
  beforeAll(async () => {
    daemons.push(
      await OpenDkim.start('simple/simple', 'unix'),
      await OpenDkim.start('relaxed/relaxed', 'tcp'),
    )
  })
  afterAll(async () => {
    await Promise.all(daemons.map((daemon) => daemon.destroy()))
  })

  async function sign({ checker }: OpenDkim): Promise<string[]> {
    const signed: string[] = []
    for (const [name, header, body] of messages) {
      const message = checkedMessage({ header, body, from: 'alice@example.com' })
      const verdict = await checker.check(message, AbortSignal.timeout(15_000))
      if (verdict.kind !== 'pass') throw new Error(`${name} did not pass: ${JSON.stringify(verdict)}`)
      const text = await textOf(verdict.draft)
      const before = await textOf(message.draft)
      // Above all that was there, of which nothing is touched.
      expect(text.endsWith(`\r\n${before}`), name).toBe(true)
      expect(text.slice(0, -before.length), name).toMatch(/^DKIM-Signature: (?:.+\r\n[ \t])*.+\r\n$/)
      signed.push(text)
    }
    return signed
  }

  it('signs the header as it stands, every space of it', async () => {
    const signed = await sign(daemons[0]!)
    expect(signed.map(isSignedAsItStands)).toEqual(messages.map(() => true))
    expect(isSignedAsItStands(signed[1]!.replace('Subject:  a', 'Subject: a'))).toBe(false)
  })

  it('signs header and body so that a receiver finds it right', async () => {
    const signed = await sign(daemons[1]!)
    const results = await verifyWithOpenDkim(
      signed.map((text) => Buffer.from(text, 'latin1')),
      records,
    )
    expect(results).toEqual(messages.map(() => ['pass rsa-sha256 example.com']))
  })

  it('leaves alone what is not of its domain', async () => {
    const message = checkedMessage({ header: 'From: <eve@example.net>\r\n\r\n', from: 'eve@example.net' })
    const verdict = await daemons[0]!.checker.check(message, AbortSignal.timeout(15_000))
    expect(verdict).toMatchObject({ kind: 'pass', note: null })
    expect(verdict.kind === 'pass' && verdict.draft).toBe(message.draft)
  })
})
