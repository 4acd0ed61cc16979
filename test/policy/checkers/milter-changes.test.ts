import { describe, expect, it } from 'vitest'
import { MilterChanges } from '../../../src/policy/checkers/milter-changes.ts'
import { MilterHeader } from '../../../src/policy/checkers/milter-header.ts'
import { type Change, MilterError } from '../../../src/policy/checkers/milter-protocol.ts'

const [a, b, c] = ['a@example.org', 'b@example.org', 'c@example.org']
const changesTo = (...recipients: string[]) =>
  new MilterChanges(new MilterHeader(Buffer.from('From: x\r\n\r\n'), { leadingSpace: false }), recipients)
const applied = (...changes: Change[]) => {
  const all = changesTo(a!, b!)
  for (const change of changes) all.apply(change)
  return all
}
const add = (address: string): Change => ({ kind: 'addRecipient', address })
const remove = (address: string): Change => ({ kind: 'deleteRecipient', address })
const sender = (address: string): Change => ({ kind: 'changeSender', address })

describe('recipients', () => {
  it.each<[string, Change[], { added: string[]; removed: string[] }]>([
    ['that are added', [add(`<${c}>`)], { added: [c!], removed: [] }],
    ['without brackets', [add(c!)], { added: [c!], removed: [] }],
    ['in another spelling', [add('<c@EXAMPLE.org>'), add(c!)], { added: [c!], removed: [] }],
    ['that are there already', [add(a!)], { added: [], removed: [] }],
    ['that are taken away', [remove(`<${a}>`)], { added: [], removed: [a!] }],
    ['that were not there', [remove(c!)], { added: [], removed: [] }],
    ['added and taken away', [add(c!), remove(c!)], { added: [], removed: [] }],
    ['taken away and added', [remove(a!), add(a!)], { added: [], removed: [] }],
    ['exchanged', [remove(a!), add(c!)], { added: [c!], removed: [a!] }],
  ])('%s', (_name, changes, expected) => {
    expect(applied(...changes).envelope).toEqual({ sender: null, ...expected })
  })

  it.each<[boolean, Change[]]>([
    [true, [remove(a!)]],
    [false, [remove(a!), remove(b!)]],
    [true, [remove(a!), remove(b!), add(c!)]],
  ])('may all be gone: %s', (reaches, changes) => {
    expect(applied(...changes).reachesAnybody).toBe(reaches)
  })
})

describe('the sender', () => {
  it.each([
    ['<c@example.org>', 'c@example.org'],
    ['c@example.org', 'c@example.org'],
    ['<>', ''],
    ['', ''],
  ])('becomes %s', (address, expected) => {
    expect(applied(sender(address)).envelope.sender).toBe(expected)
  })
})

describe('addresses', () => {
  it.each([
    'no-address',
    'a@b c',
    'a@example.org\r\nDATA',
    'a@example.org\n',
    '<<a@example.org>>',
    'a%b@example.org',
    'a@example.org\0',
  ])('are refused where they are none: %j', (address) => {
    for (const change of [add, remove, sender]) expect(() => applied(change(address))).toThrow(MilterError)
  })
})

describe('the rest', () => {
  it('holds a message with the reason given, in one line', () => {
    expect(applied({ kind: 'quarantine', reason: 'virus\r\nfound' }).hold).toBe('virus??found')
    expect(applied({ kind: 'quarantine', reason: '' }).hold).toBe('quarantined by a filter')
    expect(applied().hold).toBeNull()
  })

  it('says in a word what was changed', () => {
    expect(applied().note).toBeNull()
    const header: Change = { kind: 'addHeader', name: 'X', value: Buffer.from('1') }
    const body: Change = { kind: 'replaceBody', piece: Buffer.from('1') }
    expect(applied(header, body, header, add(c!), remove(a!)).note).toBe('changed header, body, recipients')
  })

  it('is refused where a filter asks without end', () => {
    const changes = changesTo(a!)
    const field: Change = { kind: 'addHeader', name: 'X', value: Buffer.alloc(900, 'x') }
    const large: Change = { kind: 'changeHeader', index: 1, name: 'X', value: Buffer.alloc(1024 * 1024, 'x') }
    changes.apply(field)
    expect(() => {
      for (let n = 0; n < 5; n++) changes.apply(large)
    }).toThrow('asked for more than a message can hold')
  })
})
