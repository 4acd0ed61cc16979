/** Rules to begin with. */
import type { RuleWords } from './words-en.ts'

export type TemplateName = keyof RuleWords['templates']

export const templates: Readonly<Record<TemplateName, Readonly<Record<string, unknown>>>> = {
  empty: { name: '', conditions: {}, actions: {} },
  executables: {
    name: 'No executables',
    conditions: { attachmentTypeIs: ['executable'] },
    actions: { reject: { text: 'Executable attachments are not allowed' } },
  },
  external: {
    name: 'Disclaimer',
    conditions: {},
    exceptions: { recipientDomainIs: ['example.com'] },
    actions: { disclaimer: { text: 'This message is confidential.' } },
  },
  cards: {
    name: 'Sensitive data',
    mode: 'test',
    conditions: { sensitiveData: [{ type: 'cardNumber' }, { type: 'iban', minimumCount: 3 }] },
    actions: { hold: 'It contains card numbers or IBANs', audit: 'high' },
  },
  tls: {
    name: 'TLS to a partner',
    conditions: { recipientDomainIs: ['*.example.org'] },
    actions: { requireTLS: true },
  },
  route: {
    name: 'Newsletter',
    conditions: { senderIs: ['news@example.com'] },
    actions: { routeThrough: 1 },
  },
  bcc: {
    name: 'Archive',
    conditions: { senderDomainIs: ['example.com'] },
    actions: { addBcc: ['archive@example.com'] },
  },
}
