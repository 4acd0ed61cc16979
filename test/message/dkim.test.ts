import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  type DkimKey,
  keysFor,
  signedField,
  signedHeader,
  signingDomain,
  signingInput,
  unsignedField,
} from '../../src/message/dkim.ts'
import { RelaxedBody, relaxedField } from '../../src/message/dkim-canonical.ts'
import { dkimRecord } from '../../src/message/dkim-record.ts'
import { fieldsNamed, parseHeader } from '../../src/message/header.ts'

const header = (text: string) => parseHeader(Buffer.from(text, 'latin1'))

/** The message, keys and signatures of RFC 8463, appendix A. */
const rfc8463 = {
  ed25519: createPrivateKey({
    key: Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      Buffer.from('nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=', 'base64'),
    ]),
    format: 'der',
    type: 'pkcs8',
  }),
  rsa: createPrivateKey(`-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----`),
  header: [
    'From: Joe SixPack <joe@football.example.com>',
    'To: Suzie Q <suzie@shopping.example.net>',
    'Subject: Is dinner ready?',
    'Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)',
    'Message-ID: <20030712040037.46341.5F8J@football.example.com>',
    '',
    '',
  ].join('\r\n'),
  body: 'Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n',
  bodyHash: '2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=',
  names: ['from', 'to', 'subject', 'date', 'message-id'],
  signatures: [
    {
      algorithm: 'ed25519',
      field: [
        'DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;',
        ' d=football.example.com; i=@football.example.com;',
        ' q=dns/txt; s=brisbane; t=1528637909; h=from : to :',
        ' subject : date : message-id : from : subject : date;',
        ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
        ' b=',
      ].join('\r\n'),
      value: '/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==',
    },
    {
      algorithm: 'rsa',
      field: [
        'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;',
        ' d=football.example.com; i=@football.example.com;',
        ' q=dns/txt; s=test; t=1528637909; h=from : to : subject :',
        ' date : message-id : from : subject : date;',
        ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
        ' b=',
      ].join('\r\n'),
      value:
        'F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=',
    },
  ],
} as const

describe('the vectors of RFC 8463, appendix A', () => {
  it('give its body hash', () => {
    const hash = createHash('sha256')
    const body = new RelaxedBody((bytes) => hash.update(bytes))
    body.write(Buffer.from(rfc8463.body))
    body.end()
    expect(hash.digest('base64')).toBe(rfc8463.bodyHash)
  })
  it.each(rfc8463.signatures)('give its signature with $algorithm', ({ algorithm, field, value }) => {
    const parsed = header(rfc8463.header)
    const canonical = rfc8463.names
      .flatMap((name) => fieldsNamed(parsed, name))
      .map(({ raw }) => relaxedField(raw))
      .join('')
    const input = signingInput({ names: [], canonical }, field)
    const signature =
      algorithm === 'rsa'
        ? sign('sha256', input, rfc8463.rsa)
        : sign(null, createHash('sha256').update(input).digest(), rfc8463.ed25519)
    expect(signature.toString('base64')).toBe(value)
  })
  it('give its DNS records', () => {
    const record = (selector: string, privateKey: KeyObject) =>
      dkimRecord({ domain: 'football.example.com', selector, publicKey: createPublicKey(privateKey) })
    expect(record('brisbane', rfc8463.ed25519)).toEqual({
      name: 'brisbane._domainkey.football.example.com',
      value: 'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
      strings: ['v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='],
      zoneLine:
        'brisbane._domainkey.football.example.com. IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="',
    })
    expect(record('test', rfc8463.rsa).value).toBe(
      'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB',
    )
  })
})

describe('who signs', () => {
  it.each<[string, string | null]>([
    ['From: a@example.com\r\n\r\n', 'example.com'],
    ['From: "B, C" <a@Mail.Example.COM>\r\n\r\n', 'mail.example.com'],
    ['From: a@m\xc3\xbcnchen.example\r\n\r\n', 'xn--mnchen-3ya.example'],
    ['Subject: a\r\n\r\n', null],
    ['From: a@example.com, b@example.com\r\n\r\n', null],
    ['From: a@example.com\r\nFrom: b@example.com\r\n\r\n', null],
    ['From: a@example.com <b@example.org>\r\n\r\n', null],
    ['From: undisclosed:;\r\n\r\n', null],
    ['\r\nFrom: in the body <a@example.com>\r\n', null],
    [' continued\r\nFrom: a@example.com\r\n\r\n', null],
    ['\tcontinued\r\nFrom: a@example.com\r\n\r\n', null],
    ['', null],
  ])('%j: %s', (text, domain) => {
    expect(signingDomain(header(text))).toBe(domain)
  })

  const keys = new Map<string, DkimKey[]>(
    ['example.com', 'mail.example.com', 'org'].map((domain) => [domain, [{ domain } as DkimKey]]),
  )
  it.each([
    ['example.com', ['example.com']],
    ['mail.example.com', ['mail.example.com']],
    ['a.b.mail.example.com', ['mail.example.com']],
    ['news.example.com', ['example.com']],
    ['notexample.com', []],
    ['com', []],
    ['example.org', ['org']],
    ['[192.0.2.1]', []],
  ])('for %s the keys of %j', (domain, expected) => {
    expect(keysFor(keys, domain).map((key) => key.domain)).toEqual(expected)
  })
})

describe('what is signed', () => {
  it('seals what a reader sees, present or not, and what is there of what the next hop may add', () => {
    const { names } = signedHeader(header('From: a@example.com\r\nDate: today\r\n\r\n'))
    expect(names).toEqual(['from', 'date', 'from', 'to', 'cc', 'reply-to', 'subject', 'date'])
  })
  it('leaves out what systems on the way write, and what is no field', () => {
    const text = [
      'Received: from a',
      'Return-Path: <a@example.com>',
      'DKIM-Signature: v=1; b=x',
      'X-Mailer: a',
      'no field at all',
      'From: a@example.com',
      '',
      '',
    ].join('\r\n')
    expect(signedHeader(header(text))).toEqual({
      names: ['from', 'from', 'to', 'cc', 'reply-to', 'subject'],
      canonical: 'from:a@example.com\r\n',
    })
  })
  it('takes in all of a name, the lowest first', () => {
    const text =
      'List-Id: one\r\nFrom: a@example.com\r\nSubject: upper\r\nContent-Type: a/b\r\n' +
      'list-id: two\r\nSUBJECT : lower\r\nContent-Disposition: inline\r\nList-Unsubscribe-Post: x\r\n\r\n'
    expect(signedHeader(header(text))).toEqual({
      names: [
        ...['from', 'subject', 'subject', 'content-type'],
        ...['list-id', 'list-id', 'content-disposition', 'list-unsubscribe-post'],
        ...['from', 'to', 'cc', 'reply-to', 'subject', 'content-type'],
      ],
      canonical:
        'from:a@example.com\r\nsubject:lower\r\nsubject:upper\r\ncontent-type:a/b\r\n' +
        'list-id:two\r\nlist-id:one\r\ncontent-disposition:inline\r\nlist-unsubscribe-post:x\r\n',
    })
  })
})

describe('the field', () => {
  const key: DkimKey = {
    domain: 'example.com',
    selector: '2026a',
    algorithm: 'rsa-sha256',
    privateKey: rfc8463.rsa,
  }
  const names = signedHeader(
    header('From: a\r\nTo: b\r\nCc: c\r\nSubject: d\r\nDate: e\r\nMessage-ID: f\r\n\r\n'),
  ).names
  const unsigned = unsignedField(key, { names, bodyHash: rfc8463.bodyHash, now: 1_700_000_000_999 })

  it('says what RFC 6376 wants, folded', () => {
    expect(signedField(unsigned, Buffer.alloc(128, 'x'))).toBe(
      [
        'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=2026a;',
        '\tt=1700000000; h=from:to:cc:subject:date:message-id:from:to:cc:reply-to:',
        '\tsubject:date:message-id; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=',
        `\t${'eHh4'.repeat(18)}`,
        `\t${'eHh4'.repeat(18)}`,
        `\t${'eHh4'.repeat(6)}eHg=`,
        '',
      ].join('\r\n'),
    )
  })
  it('has no line of more than 78 characters, whatever the names', () => {
    for (const length of [1, 20, 50, 63]) {
      const field = signedField(
        unsignedField(
          { ...key, selector: 's'.repeat(length), domain: `${'d'.repeat(length)}.example` },
          { names: names.map((name) => name.repeat(3)), bodyHash: rfc8463.bodyHash, now: 0 },
        ),
        Buffer.alloc(512),
      )
      const lines = field.split('\r\n')
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(78)
      expect(lines.slice(1, -1).every((line) => line.startsWith('\t'))).toBe(true)
    }
  })
  it('is signed as it stands, without its value', () => {
    const input = signingInput({ names, canonical: 'from:a\r\n' }, unsigned).toString()
    expect(input).toBe(`from:a\r\ndkim-signature:${unsigned.slice(16).replaceAll('\r\n\t', ' ')}`)
    expect(input.endsWith('; b=')).toBe(true)
  })
})
