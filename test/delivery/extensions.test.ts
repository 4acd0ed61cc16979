import { describe, expect, it } from 'vitest'
import {
  type Extensions,
  misfit,
  type OutgoingMessage,
  parseExtensions,
} from '../../src/delivery/extensions.ts'

const nothing: Extensions = {
  pipelining: false,
  eightBitMime: false,
  smtpUtf8: false,
  dsn: false,
  size: null,
  auth: [],
}

describe('parseExtensions', () => {
  it.each<[string, Partial<Extensions>]>([
    ['250 mx.example.net', {}],
    ['250-mx.example.net PIPELINING DSN\n250 HELP', {}],
    ['250-AUTH PLAIN\n250 HELP', {}],
    [
      '250-mx\n250-PIPELINING\n250-8BITMIME\n250-SMTPUTF8\n250 DSN',
      { pipelining: true, eightBitMime: true, smtpUtf8: true, dsn: true },
    ],
    ['250-mx\r\n250-Pipelining\r\n250 dsn ', { pipelining: true, dsn: true }],
    ['250-mx\n250 XPIPELINING', {}],
    ['250-mx\n250 X-DSN', {}],
    ['250-mx\n250 SIZE', { size: { maxBytes: null } }],
    ['250-mx\n250 SIZE 0', { size: { maxBytes: null } }],
    ['250-mx\n250 SIZE 1000', { size: { maxBytes: 1000 } }],
    ['250-mx\n250 SIZE lots', { size: { maxBytes: null } }],
    ['250-mx\n250 AUTH login Plain', { auth: ['LOGIN', 'PLAIN'] }],
    ['250-mx\n250-AUTH=LOGIN\n250 AUTH PLAIN', { auth: ['LOGIN', 'PLAIN'] }],
    ['250-mx\n250 AUTH', {}],
    ['250-mx\n550 DSN', {}],
  ])('reads %j', (reply, offered) => {
    expect(parseExtensions(reply)).toEqual({ ...nothing, ...offered })
  })
})

describe('misfit', () => {
  const message: OutgoingMessage = {
    id: 'ITEM-1',
    internetMessageId: null,
    sender: { from: 'a@example.com', bodyType: '7bit', smtpUtf8: false, ret: null, envid: null },
    recipients: [{ address: 'b@example.org', notify: null, orcpt: null }],
    sizeBytes: 1000,
    eightBit: false,
    requireTls: false,
  }

  it.each<[string, Partial<OutgoingMessage>, Partial<Extensions>, number | null]>([
    ['plain mail', {}, {}, null],
    ['mail from the null reverse-path', { sender: { ...message.sender, from: '' } }, {}, null],
    ['a size as announced', {}, { size: { maxBytes: 1000 } }, null],
    ['a size beyond it', {}, { size: { maxBytes: 999 } }, 552],
    ['any size', { sizeBytes: 1e12 }, { size: { maxBytes: null } }, null],
    ['8-bit content', { eightBit: true }, {}, 554],
    ['8-bit content', { eightBit: true }, { eightBitMime: true }, null],
    [
      '7-bit content that was declared as 8-bit',
      { sender: { ...message.sender, bodyType: '8bitmime' } },
      {},
      null,
    ],
    ['SMTPUTF8', { sender: { ...message.sender, smtpUtf8: true } }, {}, 553],
    ['SMTPUTF8', { sender: { ...message.sender, smtpUtf8: true } }, { smtpUtf8: true }, null],
    ['a local part in UTF-8', { sender: { ...message.sender, from: 'ä@example.com' } }, {}, 553],
    ['an address that is none', { sender: { ...message.sender, from: 'a@b> X=<' } }, {}, 451],
    ['an address that is not canonical', { sender: { ...message.sender, from: 'a@EXAMPLE.com' } }, {}, 451],
  ])('%s: %o, %o', (_name, fields, offered, code) => {
    expect(misfit({ ...message, ...fields }, { ...nothing, ...offered })?.code ?? null).toBe(code)
  })
})
