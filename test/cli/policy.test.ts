import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerExplain } from '../../src/cli/explain.ts'
import { registerPolicy } from '../../src/cli/policy.ts'
import { runCommand } from './run-command.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-policy-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

const configuration = `
hostname: relay.example.com
listeners: [{ name: a, port: 2525 }]
connectors:
  - { id: main, name: Main, addressSpaces: ["*"], smartHosts: [smtp.example.org] }
  - { id: bulk, name: Bulk, smartHosts: [bulk.example.org] }
policy:
  rules:
    - { name: Off, enabled: false, actions: { reject: {} } }
    - name: Rivals
      conditions: { recipientDomainIs: [rival.example.net], subjectContainsWords: [secret] }
      exceptions: { senderIs: [ceo@example.com] }
      actions: { reject: { enhanced: 5.7.901, text: Not to rivals } }
    - name: Newsletter
      conditions: { headerPresent: [List-Id] }
      actions: { routeThrough: bulk, prefixSubject: "[news] ", addBcc: [archive@example.com] }
    - { name: Wait, conditions: { subjectContainsWords: [wait] }, actions: { hold: second look } }
    - { name: Gone, conditions: { subjectContainsWords: [gone] }, actions: { drop: true } }
    - { name: Moved, conditions: { recipientIs: [old@example.org] }, actions: { redirectTo: [new@example.org] } }
`

describe('policy test', () => {
  function test(cases: string, args: string[] = []) {
    const config = write('relay.yaml', configuration)
    return runCommand(registerPolicy, [
      '--config',
      config,
      'policy',
      'test',
      write('cases.yaml', cases),
      ...args,
    ])
  }

  it('prints a table of cases that are as expected', async () => {
    write('saved.eml', 'Subject: A secret\r\n\r\nHello\r\n')
    const { out, code } = await test(`
cases:
  - name: partly refused
    from: a@example.com
    to: [b@example.org, c@rival.example.net]
    file: saved.eml
    expect: { recipients: { b@example.org: pass, c@rival.example.net: reject }, reply: 550 5.7.901, rules: [Rivals] }
  - name: excepted
    from: ceo@example.com
    to: [c@rival.example.net]
    headers: ["Subject: secret"]
    expect: { verdict: pass, rules: [] }
  - name: newsletter
    from: "<>"
    to: [b@example.org]
    headers: ["List-Id: <n.example.com>", "Subject: Hi"]
    expect: { verdict: pass, connector: bulk, headers: ["Subject: [news] Hi"] }
  - { name: held, from: a@example.com, to: [b@example.org], headers: ["Subject: wait"], expect: { verdict: hold, hold: second look } }
  - { name: dropped, from: a@example.com, to: [b@example.org], headers: ["Subject: gone"], expect: { verdict: drop } }
`)
    expect(out).toBe(`RESULT  CASE            VERDICT                                         RULES
ok      partly refused  b@example.org pass, c@rival.example.net reject  Rivals
ok      excepted        pass                                            -
ok      newsletter      pass                                            Newsletter
ok      held            hold                                            Wait
ok      dropped         drop                                            Gone
5 of 5 cases are as expected
`)
    expect(code).toBe(0)
  })

  it('says of each case what is otherwise, and ends with 1', async () => {
    const { out, code } = await test(`
cases:
  - name: all wrong
    from: a@example.com
    to: [b@example.org]
    headers: ["Subject: wait"]
    expect:
      verdict: reject
      reply: 550 5.7.1
      rules: [Rivals]
      connector: bulk
      hold: another reason
      headers: ["X-Class: external"]
      recipients: { nobody@example.org: pass }
`)
    expect(out).toContain('FAILED  all wrong  hold')
    for (const line of [
      'b@example.org: reject expected, hold is',
      'nobody@example.org: is no recipient',
      'rules: Rivals expected, Wait is',
      'reply: 550 5.7.1 expected, none is',
      'connector: bulk expected, none chosen is',
      'hold: another reason expected, second look is',
      'X-Class: external expected, no such field is',
      '0 of 1 cases are as expected',
    ])
      expect(out).toContain(line)
    expect(code).toBe(1)
  })

  it('prints JSON', async () => {
    const cases =
      'cases: [{ name: one, from: a@example.com, to: [b@example.org], expect: { verdict: pass } }]'
    const { out } = await test(cases, ['--json'])
    expect(JSON.parse(out)).toEqual([{ name: 'one', ok: true, got: 'pass', rules: [], differences: [] }])
  })

  it.each([
    ['cases: []', 'cases'],
    ['cases: [{ name: x, from: a@example.com, to: [], expect: {} }]', 'cases[0].to'],
    ['cases: [{ name: x, from: nobody, to: [b@example.org], expect: {} }]', 'cases[0].from'],
    ['cases: [{ name: x, from: a@example.com, to: [b@example.org], expect: { verdict: maybe } }]', 'verdict'],
    ['cases: [{ name: x, from: a@example.com, to: [b@example.org], expect: {}, subject: y }]', 'subject'],
    ['cases: [', 'cases.yaml'],
  ])('refuses %s and names the place', async (cases, place) => {
    const { err, code } = await test(cases)
    expect(err).toContain(place)
    expect(code).toBe(1)
  })
})

describe('explain with rules', () => {
  function explain(args: string[]) {
    const config = write('relay.yaml', configuration)
    return runCommand(registerExplain, ['--config', config, 'explain', '--from', 'a@example.com', ...args])
  }

  it('shows the outcome of every rule, and the way after them', async () => {
    // Saved by a mail program: the system's line ends.
    const message = write('mail.eml', 'Subject: a secret\nList-Id: <n.example.com>\n\nHello\n')
    const { out, code } = await explain([
      '--message',
      message,
      '--to',
      'b@example.org',
      '--to',
      'c@rival.example.net',
    ])
    expect(out).toBe(`RULE        OUTCOME
Off         is disabled
Rivals      matches (recipientDomainIs rival.example.net, subjectContainsWords secret) for c@rival.example.net: reject
Newsletter  matches (headerPresent List-Id) for b@example.org: addBcc, routeThrough, prefixSubject
Wait        does not match: subjectContainsWords
Gone        does not match: subjectContainsWords
Moved       does not match: recipientIs

b@example.org
  => leaves by connector bulk (chosen by a rule: bulk)

c@rival.example.net
  => refused: 550 5.7.901 Not to rivals

archive@example.com
  added by a rule
  => leaves by connector bulk (chosen by a rule: bulk)
`)
    expect(code).toBe(1)
  })

  it('goes on with the recipients a rule puts in place of others, and with what it holds', async () => {
    const { out, code } = await explain(['--to', 'old@example.org', '--header', 'Subject: wait'])
    expect(out).toContain('new@example.org\n  in place of old@example.org; held: second look\n  1. ')
    expect(out).toContain('=> leaves by connector main')
    expect(code).toBe(0)
  })

  it('takes the header from the message or from options, not from both', async () => {
    const message = write('mail.eml', 'Subject: x\n\n')
    const { err, code } = await explain([
      '--to',
      'b@example.org',
      '--message',
      message,
      '--header',
      'Subject: y',
    ])
    expect(err).toContain('--message has its own header')
    expect(code).toBe(2)
  })
})
