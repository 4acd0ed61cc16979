/**
 * Rules as an administrator of a company might have them: twenty, three with patterns. All of them look at the load's
 * messages, and none matches or needs their content. `stamp` is one that changes every message.
 */
export const stamp: Record<string, unknown> = {
  name: 'Stamp',
  actions: { setHeaders: [{ name: 'X-Checked-By', value: 'relay' }] },
}

export const twentyRules: readonly Record<string, unknown>[] = [
  rule('Calendar storms', { messageTypeIs: ['calendar'], recipientCountOver: 50 }),
  rule('Competitors', { recipientDomainIs: ['*.rival.example', 'rival.example.net'] }),
  rule('Former staff', { senderIn: ['former'] }),
  rule('Forged board', { fromIn: ['board'], senderDiffersFromFrom: true }),
  rule('Mailings', { recipientCountOver: 200 }),
  rule('Guest network', { clientNetworkIs: ['10.99.0.0/16', '2001:db8:99::/48'] }),
  rule('Scanners', { userIs: ['scanner1', 'scanner2'], messageSizeOver: '20MB' }),
  rule('Large', { messageSizeOver: '30MB' }),
  rule('Programs', { attachmentTypeIs: ['executable'], messageSizeOver: '50KB' }),
  rule('Macros', { attachmentTypeIs: ['officeWithMacros'], headerPresent: ['X-MS-Has-Attach'] }),
  rule('Cards', { sensitiveData: [{ type: 'cardNumber' }], subjectContainsWords: ['payment', 'invoice'] }),
  rule('Confidential', { subjectContainsWords: ['confidential', 'internal only', 'nda'] }),
  rule('Project names', { subjectMatches: ['project\\s+(alpha|beta|gamma)', '\\bPRJ-\\d{4,6}\\b'] }),
  rule('Odd senders', { senderMatches: ['^[a-z0-9]{24,}@', '\\+[^@]*\\+'] }),
  rule('Bulk tools', {
    headerMatches: [{ header: 'X-Mailer', patterns: ['bulk|mass\\s*mail', 'sendy \\d'] }],
  }),
  rule('Out of office', { headerContainsWords: [{ header: 'Auto-Submitted', words: ['auto-replied'] }] }),
  rule('Urgent abroad', { importanceIs: ['high'], recipientDomainIs: ['*.example.net'] }),
  rule('No subject', { headerAbsent: ['Subject'] }),
  rule('Two authors', { fromDefectIs: ['several'] }),
  rule('Old campaign', { subjectContainsWords: ['spring sale'], listenerIs: ['newsletter'] }),
]

export const lists: Readonly<Record<string, readonly string[]>> = {
  former: ['left@example.com', 'gone@example.com', '*.old.example.com'],
  board: ['ceo@example.com', 'cfo@example.com'],
}

function rule(name: string, conditions: Record<string, unknown>): Record<string, unknown> {
  return { name, conditions, exceptions: { senderIs: ['postmaster@example.com'] }, actions: { reject: {} } }
}
