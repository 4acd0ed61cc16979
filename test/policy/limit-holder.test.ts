import { describe, expect, it } from 'vitest'
import { LimitHolders, type LimitPer, readHolder, type Submitter } from '../../src/policy/limit-holder.ts'

const submitter: Submitter = {
  sender: 'Alice.Smith@mail.example.com',
  address: '192.0.2.7',
  user: 'Alice',
  listener: 'exchange',
}

function holder(per: LimitPer, only: readonly string[] | null, change: Partial<Submitter> = {}) {
  return new LimitHolders({ per, only }).of({ ...submitter, ...change })
}

describe('a limit for each', () => {
  it.each<[LimitPer, Partial<Submitter>, string | null]>([
    ['sender', {}, 'alice.smith@mail.example.com'],
    ['sender', { sender: '"ALICE.Smith"@mail.example.com' }, 'alice.smith@mail.example.com'],
    ['sender', { sender: 'müller@example.com' }, 'müller@example.com'],
    ['sender', { sender: 'u@[192.0.2.1]' }, 'u@[192.0.2.1]'],
    ['sender', { sender: '' }, null],
    ['senderDomain', {}, 'mail.example.com'],
    ['senderDomain', { sender: '' }, null],
    ['client', {}, '192.0.2.7'],
    ['client', { address: '2001:db8:1:2:3:4:5:6' }, '2001:db8:1:2::/64'],
    ['client', { address: '2001:db8:1:2::ffff' }, '2001:db8:1:2::/64'],
    ['client', { address: null }, null],
    ['user', {}, 'alice'],
    ['user', { user: null }, null],
    ['listener', {}, 'exchange'],
    ['listener', { listener: null }, null],
  ])('%s counts %j as %j', (per, change, expected) => {
    expect(holder(per, null, change)).toBe(expected)
  })

  it.each<LimitPer>(['client', 'user', 'listener'])('%s counts the null reverse-path too', (per) => {
    expect(holder(per, null, { sender: '' })).not.toBeNull()
  })
})

describe('a limit for some', () => {
  it.each<[LimitPer, readonly string[], Partial<Submitter>, boolean]>([
    ['sender', ['alice.smith@mail.example.com'], {}, true],
    ['sender', ['ALICE.SMITH@Mail.Example.COM'], {}, true],
    ['sender', ['alice@mail.example.com'], {}, false],
    ['sender', ['mail.example.com'], {}, true],
    ['sender', ['example.com'], {}, false],
    ['sender', ['*.example.com'], {}, true],
    ['sender', ['*.example.com'], { sender: 'a@example.com' }, true],
    ['sender', ['*.example.com'], { sender: 'a@evilexample.com' }, false],
    ['sender', ['example.com', 'bob@example.net', '*.example.com'], {}, true],
    ['sender', ['<>'], { sender: '' }, true],
    ['sender', ['<>'], {}, false],
    ['sender', ['*'], {}, true],
    ['sender', ['*'], { sender: '' }, false],
    ['senderDomain', ['mail.example.com'], {}, true],
    ['senderDomain', ['bücher.example'], { sender: 'a@xn--bcher-kva.example' }, true],
    ['senderDomain', ['example.org'], {}, false],
    ['senderDomain', ['<>'], { sender: '' }, true],
    ['client', ['192.0.2.7'], {}, true],
    ['client', ['192.0.2.0/29'], {}, true],
    ['client', ['192.0.2.8/29'], {}, false],
    ['client', ['::ffff:192.0.2.0/120'], {}, true],
    ['client', ['2001:db8::/32'], {}, false],
    ['client', ['2001:db8::/32'], { address: '2001:db8:1:2:3:4:5:6' }, true],
    ['client', ['2001:db8:1:2::7'], { address: '2001:db8:1:2::8' }, false],
    ['user', ['ALICE'], {}, true],
    ['user', ['bob'], {}, false],
    ['user', ['bob'], { user: null }, false],
    ['listener', ['exchange'], {}, true],
    ['listener', ['submission'], {}, false],
  ])('%s of %j and %j: %j', (per, only, change, applies) => {
    expect(holder(per, only, change) !== null).toBe(applies)
  })
})

it.each<[LimitPer, string, string | null]>([
  ['sender', 'A@Example.com', 'a@example.com'],
  ['sender', '<>', '<>'],
  ['sender', 'a b@example.com', null],
  ['sender', '*.Example.com', '*.example.com'],
  ['sender', 'SMTP:example.com;1', null],
  ['sender', '10.0.0.0/8', null],
  ['senderDomain', 'a@example.com', null],
  ['senderDomain', 'exa mple', null],
  ['client', '10.0.0.0/8', '10.0.0.0/8'],
  ['client', '::1', '::1'],
  ['client', '10.0.0.0/33', null],
  ['client', '10.0.0.0/8/8', null],
  ['client', '10.0/16', null],
  ['client', 'example.com', null],
  ['client', '2001:db8::/129', null],
  ['user', 'Bob', 'bob'],
])('for %s the entry %j is %j', (per, text, expected) => {
  expect(readHolder(per, text)).toBe(expected)
})
