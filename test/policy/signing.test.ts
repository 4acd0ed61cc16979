import { createHash, generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type DkimKey, dkimAlgorithm } from '../../src/message/dkim.ts'
import type { Draft } from '../../src/message/draft.ts'
import { DkimSigner } from '../../src/policy/signing.ts'

const pairs = { rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }), ed: generateKeyPairSync('ed25519') }

function keyOf(domain: string, kind: keyof typeof pairs): DkimKey {
  const { privateKey } = pairs[kind]
  return { domain, selector: kind, algorithm: dkimAlgorithm(privateKey), privateKey }
}
const both = [keyOf('example.com', 'rsa'), keyOf('example.com', 'ed')]

function draftOf(header: string, ...chunks: (string | Buffer)[]): Draft & { reads: number } {
  const draft = {
    reads: 0,
    header: Buffer.from(header, 'latin1'),
    body: {
      async *read() {
        draft.reads++
        for (const chunk of chunks) yield Buffer.from(chunk as string)
      },
    },
  }
  return draft
}

const header = 'From: a@example.com\r\nSubject: Hello\r\n  there \r\nX-Other: x\r\n\r\n'
const now = 1_700_000_000_000

/** Tags of the signatures above the header, blanks in their values left out. */
function signaturesOf(signed: Draft): Record<string, string>[] {
  const text = signed.header.toString('latin1')
  return [...text.matchAll(/^DKIM-Signature: ((?:.*\r\n[ \t])*.*)\r\n/gm)].map((match) =>
    Object.fromEntries(
      match[1]!.split(';').map((tag) => {
        const [name, ...value] = tag.replace(/[\r\n\t ]+/g, '').split('=')
        return [name!, value.join('=')]
      }),
    ),
  )
}

it('puts a signature of each key of the domain before the header, and changes nothing else', async () => {
  const draft = draftOf(header, 'body')
  const signed = await new DkimSigner([...both, keyOf('example.org', 'rsa')]).sign(draft, { now })
  expect(signaturesOf(signed)).toMatchObject([
    { v: '1', a: 'rsa-sha256', c: 'relaxed/relaxed', d: 'example.com', s: 'rsa', t: '1700000000' },
    { v: '1', a: 'ed25519-sha256', c: 'relaxed/relaxed', d: 'example.com', s: 'ed', t: '1700000000' },
  ])
  expect(signed.header.subarray(-draft.header.length)).toEqual(draft.header)
  expect(signed.body).toBe(draft.body)
  expect(signed.header.toString()).not.toMatch(/\b[lx]=/)
})

it('signs what RFC 6376 says, with either algorithm', async () => {
  const signed = await new DkimSigner(both).sign(draftOf(header, 'a  b \r\n', '\r\n\r\n'), { now })
  const text = signed.header.toString()
  const bodyHash = createHash('sha256').update('a b\r\n').digest('base64')
  for (const [index, signature] of signaturesOf(signed).entries()) {
    expect(signature).toMatchObject({ bh: bodyHash, h: 'from:subject:from:to:cc:reply-to:subject' })
    const field = text
      .split(/^(?=\S)/m)
      [index]!.replace(/\r\n/g, '')
      .replace(/\s+/g, ' ')
      .replace(/ b=.*/, ' b=')
    const input = Buffer.from(
      `from:a@example.com\r\nsubject:Hello there\r\n${field.replace('DKIM-Signature: ', 'dkim-signature:')}`,
    )
    expect(verified(signature.a!, input, Buffer.from(signature.b!, 'base64'))).toBe(true)
  }
})

function verified(algorithm: string, input: Buffer, signature: Buffer): boolean {
  return algorithm === 'rsa-sha256'
    ? verify('sha256', input, pairs.rsa.publicKey, signature)
    : verify(null, createHash('sha256').update(input).digest(), pairs.ed.publicKey as KeyObject, signature)
}

it('reads the body once for all keys', async () => {
  const draft = draftOf(header, 'a', 'b')
  await new DkimSigner(both).sign(draft, { now })
  expect(draft.reads).toBe(1)
})

it('signs with the keys of the most specific domain alone', async () => {
  const signer = new DkimSigner([...both, keyOf('mail.example.com', 'ed')])
  const domains = async (from: string) =>
    signaturesOf(await signer.sign(draftOf(`From: ${from}\r\n\r\n`), { now })).map(({ d }) => d)
  expect(await domains('a@mail.example.com')).toEqual(['mail.example.com'])
  expect(await domains('a@x.mail.example.com')).toEqual(['mail.example.com'])
  expect(await domains('a@news.example.com')).toEqual(['example.com', 'example.com'])
})

describe('the draft comes back as it is, and is not read,', () => {
  it.each([
    ['of another domain', 'From: a@example.org\r\n\r\n'],
    ['of a domain above', 'From: a@com\r\n\r\n'],
    ['without a From field', 'Subject: a\r\n\r\n'],
    ['with two', 'From: a@example.com\r\nFrom: a@example.com\r\n\r\n'],
    ['of two authors', 'From: a@example.com, b@example.com\r\n\r\n'],
    ['without a header', '\r\n'],
    ['with nothing at all', ''],
    ['that begins in the middle of a field', ' x\r\nFrom: a@example.com\r\n\r\n'],
  ])('%s', async (_what, text) => {
    const draft = draftOf(text, 'body')
    expect(await new DkimSigner(both).sign(draft, { now })).toBe(draft)
    expect(draft.reads).toBe(0)
  })
  it('where there are no keys', async () => {
    const draft = draftOf(header, 'body')
    expect(new DkimSigner([]).empty).toBe(true)
    expect(await new DkimSigner([]).sign(draft, { now })).toBe(draft)
  })
})

it('signs a header as it leaves, where its lines end in bare LF', async () => {
  const signer = new DkimSigner([keyOf('example.com', 'ed')])
  const [crlf] = signaturesOf(await signer.sign(draftOf(header, 'a\r\n'), { now }))
  const bare = await signer.sign(draftOf(header.replaceAll('\r\n', '\n'), 'a\n'), { now })
  expect(signaturesOf(bare)).toEqual([crlf])
  expect(bare.header.toString()).toContain('Subject: Hello\n  there \n')
})

it('rejects where the body cannot be read', async () => {
  const broken: Draft = {
    header: Buffer.from(header),
    body: {
      // biome-ignore lint/correctness/useYield: it fails before it has anything.
      async *read() {
        throw new Error('the store is away')
      },
    },
  }
  await expect(new DkimSigner(both).sign(broken, { now })).rejects.toThrow('the store is away')
})

it('holds no more of a large body than a chunk', async () => {
  const chunk = Buffer.alloc(256 * 1024, 'text with blanks \r\n')
  const chunks = 200
  let most = 0
  const draft: Draft = {
    header: Buffer.from(header),
    body: {
      async *read() {
        for (let index = 0; index < chunks; index++) {
          yield chunk
          most = Math.max(most, process.memoryUsage().arrayBuffers)
        }
      },
    },
  }
  const before = process.memoryUsage().arrayBuffers
  await new DkimSigner([keyOf('example.com', 'ed')]).sign(draft, { now })
  expect(most - before).toBeLessThan(8 * 1024 * 1024)
})
