import { describe, expect, it } from 'vitest'
import { commandText, decodeLine, replyText } from '../../../src/observe/protocol-log/dialogue-text.ts'

describe('of a command', () => {
  it.each<[string, string]>([
    ['EHLO client.example.com', 'EHLO client.example.com'],
    ['mail from:<a@example.com> SIZE=10', 'mail from:<a@example.com> SIZE=10'],
    ['DATA', 'DATA'],
    ['AUTH LOGIN', 'AUTH LOGIN'],
    ['auth login dXNlcg==', 'AUTH LOGIN'],
    ['AUTH PLAIN AHVzZXIAc2VjcmV0', 'AUTH PLAIN'],
    ['AUTH\tPLAIN\tAHVzZXIAc2VjcmV0', 'AUTH PLAIN'],
    [' AUTH PLAIN AHVzZXIAc2VjcmV0', 'AUTH PLAIN'],
    ['AUTH AHVzZXIAc2VjcmV0', 'AUTH'],
    ['AUTH', 'AUTH'],
    ['AHVzZXIAc2VjcmV0', '<unrecognized command, 16 octets>'],
    ['XAUTH PLAIN AHVzZXIAc2VjcmV0', '<unrecognized command, 28 octets>'],
    ['Authorization: Basic dXNlcjpzZWNyZXQ=', '<unrecognized command, 37 octets>'],
    ['é', '<unrecognized command, 2 octets>'],
    ['', '<unrecognized command, 0 octets>'],
    ['RCPT TO:<a\u0000b>', 'RCPT TO:<a?b>'],
  ])('%j shows %s', (line, text) => {
    expect(commandText(line)).toBe(text)
  })
})

describe('of a reply', () => {
  it.each<[string, string]>([
    ['250 2.1.0 Ok', '250 2.1.0 Ok'],
    ['250', '250'],
    ['250-mx.example.net Hello\n250-SIZE 1000\n250 HELP', '250  mx.example.net Hello SIZE 1000 HELP'],
    ['550-5.7.1 no\r\n550 5.7.1 way', '550  5.7.1 no 5.7.1 way'],
    ['334 VXNlcm5hbWU6', '334 <authentication response>'],
    ['334', '334 <authentication response>'],
  ])('%j shows %s', (raw, text) => {
    expect(replyText(raw, { concealed: false })).toBe(text)
  })

  it.each<[string, string]>([
    ['235 2.7.0 Welcome', '235 2.7.0 <authentication response>'],
    ['535 5.7.8 no AHVzZXIAc2VjcmV0', '535 5.7.8 <authentication response>'],
    ['535-secret\n535 secret', '535 <authentication response>'],
    ['secret', '<authentication response>'],
  ])('%j from a host that logs us in shows %s', (raw, text) => {
    expect(replyText(raw, { concealed: true })).toBe(text)
  })
})

it.each<[Buffer, string]>([
  [Buffer.from('RCPT TO:<jürgen@example.com>'), 'RCPT TO:<jürgen@example.com>'],
  [Buffer.from('RCPT TO:<jürgen@example.com>', 'latin1'), 'RCPT TO:<jürgen@example.com>'],
])('reads a line as UTF-8, else octet by octet: %s', (line, text) => {
  expect(decodeLine(line)).toBe(text)
})
