import { describe, expect, it } from 'vitest'
import { formatReply } from '../../src/reply.ts'
import { parseMail, parseRcpt } from '../../src/smtp/parameters.ts'

const mail = (argument: string) => parseMail(argument, { maxMessageSize: 1000 })
const rcpt = (argument: string, smtpUtf8 = false) =>
  parseRcpt(argument, { smtpUtf8, hostname: 'relay.example.com' })

const plainSender = { from: 'a@example.com', bodyType: '7bit', smtpUtf8: false, ret: null, envid: null }

describe('MAIL', () => {
  it.each([
    ['FROM:<a@example.com>', plainSender, null],
    ['from: <a@EXAMPLE.com>', plainSender, null],
    ['FROM:<>', { ...plainSender, from: '' }, null],
    ['FROM:<a@example.com>  SIZE=1000 ', plainSender, 1000],
    ['FROM:<a@example.com> SIZE=0', plainSender, 0],
    ['FROM:<a@example.com> body=8bitmime', { ...plainSender, bodyType: '8bitmime' }, null],
    ['FROM:<a@example.com> BODY=7BIT RET=FULL', { ...plainSender, ret: 'full' }, null],
    ['FROM:<a@example.com> RET=hdrs ENVID=QQ+2B1', { ...plainSender, ret: 'hdrs', envid: 'QQ+2B1' }, null],
    ['FROM:<a@example.com> AUTH=<>', plainSender, null],
    ['FROM:<a@example.com> AUTH=b@example.com', plainSender, null],
    ['FROM:<"a b>c"@example.com>', { ...plainSender, from: '"a b>c"@example.com' }, null],
    ['FROM:<ü@example.com> SMTPUTF8', { ...plainSender, from: 'ü@example.com', smtpUtf8: true }, null],
    ['FROM:<a@xn--mnchen-3ya.example>', { ...plainSender, from: 'a@xn--mnchen-3ya.example' }, null],
    [
      'FROM:<a@münchen.example> SMTPUTF8',
      { ...plainSender, from: 'a@xn--mnchen-3ya.example', smtpUtf8: true },
      null,
    ],
  ])('reads %s', (argument, sender, sizeBytes) => {
    expect(mail(argument)).toEqual({ sender, sizeBytes })
  })

  it.each([
    ['', null, '501 5.5.4'],
    ['TO:<a@example.com>', null, '501 5.5.4'],
    ['FROM:<a@example.com', null, '501 5.5.4'],
    ['FROM:<a@example.com>SIZE=1', null, '501 5.5.4'],
    ['FROM:<a@example.com>\tSIZE=1', null, '501 5.5.4'],
    ['FROM:<a b@example.com>', 'a b@example.com', '501 5.1.7'],
    ['FROM:<@b.example:a@example.com>', '@b.example:a@example.com', '550 5.7.1'],
    ['FROM:<a@evil\u3002com> SMTPUTF8', 'a@evil\u3002com', '501 5.1.7'],
    ['FROM:<a@\uff45vil.com> SMTPUTF8', 'a@\uff45vil.com', '501 5.1.7'],
    ['FROM:<a@exa\ufffdmple.com> SMTPUTF8', 'a@exa\ufffdmple.com', '501 5.1.7'],
    ['FROM:<a@münchen.example>', 'a@münchen.example', '553 5.6.7'],
    [`FROM:<${'a'.repeat(65)}@example.com>`, `${'a'.repeat(65)}@example.com`, '501 5.1.7'],
    ['FROM:<a@example.com> SIZE=1001', 'a@example.com', '552 5.3.4'],
    ['FROM:<a@example.com> SIZE=99999999999999999999', 'a@example.com', '552 5.3.4'],
    ['FROM:<a@example.com> SIZE=-1', 'a@example.com', '501 5.5.4'],
    [`FROM:<a@example.com> ENVID=${'x'.repeat(101)}`, 'a@example.com', '501 5.5.4'],
    ['FROM:<a@example.com> ENVID=a+2', 'a@example.com', '501 5.5.4'],
    ['FROM:<a@example.com> ENVID=a+0A', 'a@example.com', '501 5.5.4'],
    ['FROM:<a@example.com> SMTPUTF8 smtputf8', 'a@example.com', '501 5.5.4'],
    ['FROM:<a@example.com> XOORG=example.com', 'a@example.com', '555 5.5.4'],
    ['FROM:<a@example.com> __proto__=1', 'a@example.com', '501 5.5.4'],
    ['FROM:<a@example.com> constructor', 'a@example.com', '555 5.5.4'],
  ])('refuses %j', (argument, path, reply) => {
    const refused = mail(argument)
    if (!('refusal' in refused)) throw new Error('was accepted')
    expect(formatReply(refused.refusal)).toContain(reply)
    expect(refused.path).toBe(path)
  })
})

describe('RCPT', () => {
  it.each([
    ['TO:<a@Example.org>', { address: 'a@example.org', notify: null, orcpt: null }],
    ['TO:<postMaster>', { address: 'postMaster@relay.example.com', notify: null, orcpt: null }],
    ['TO:<a@example.org> NOTIFY=never', { address: 'a@example.org', notify: 'never', orcpt: null }],
    [
      'TO:<a@example.org> notify=SUCCESS,failure,SUCCESS ORCPT=rfc822;a+2Bb@example.org',
      { address: 'a@example.org', notify: ['success', 'failure'], orcpt: 'rfc822;a+2Bb@example.org' },
    ],
  ])('reads %s', (argument, recipient) => {
    expect(rcpt(argument)).toEqual(recipient)
  })

  it('reads a UTF-8 ORCPT only with SMTPUTF8', () => {
    const argument = 'TO:<a@example.org> ORCPT=utf-8;ü@example.org'
    expect(rcpt(argument, true)).toMatchObject({ orcpt: 'utf-8;ü@example.org' })
    expect(rcpt(argument)).toHaveProperty('refusal')
  })

  it.each([
    ['TO:<>', '501 5.1.3'],
    ['TO:<a%b@example.org>', '550 5.7.1'],
    ['TO:<"a@b"@example.org>', '550 5.7.1'],
    ['TO:<a@example.org> NOTIFY=NEVER,SUCCESS', '501 5.5.4'],
    ['TO:<a@example.org> NOTIFY=SUCCESS,', '501 5.5.4'],
    ['TO:<a@example.org> ORCPT=rfc822;', '501 5.5.4'],
    ['TO:<a@example.org> ORCPT=utf-8;a\u0085b', '501 5.5.4'],
    [`TO:<a@example.org> ORCPT=rfc822;${'x'.repeat(500)}`, '501 5.5.4'],
    ['TO:<a@example.org> BODY=8BITMIME', '555 5.5.4'],
  ])('refuses %s', (argument, reply) => {
    const refused = rcpt(argument, true)
    if (!('refusal' in refused)) throw new Error('was accepted')
    expect(formatReply(refused.refusal)).toContain(reply)
  })
})
