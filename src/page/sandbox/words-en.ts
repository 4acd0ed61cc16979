/** The words of the sandbox's inbox in English. */
export const en = {
  lead: 'What the relay’s own sandbox smart host took: what really left, with its headers. Nothing goes further.',
  columns: { subject: 'Subject', from: 'From', to: 'To', received: 'Received', size: 'Size' },
  noSubject: '(no subject)',
  nullPath: '<> (null reverse-path)',
  andMore: (more: string) => `and ${more} more`,
  empty: 'Nothing has arrived yet',
  emptyHint: 'Mail that leaves through a connector to the sandbox appears here by itself.',
  none: 'This relay runs no sandbox',
  noneHint: 'The configuration of this node has no section sandbox.',
  kept: (count: string, one: boolean) => `${count} ${one ? 'message' : 'messages'}, the newest first`,
  clear: 'Empty the inbox',
  clearTitle: 'Empty the inbox?',
  clearText:
    'All messages that the sandbox keeps are forgotten. They have been relayed; nothing else changes.',
  cleared: 'The inbox is empty.',
  back: 'Sandbox inbox',
  envelope: 'Envelope',
  facts: {
    from: 'Envelope sender',
    to: 'Envelope recipients',
    received: 'Received',
    size: 'Size',
    tls: 'TLS',
    user: 'Logged in as',
  },
  inClear: 'none: it came in clear',
  headers: 'Headers',
  headerColumns: { name: 'Name', value: 'Value' },
  marked: 'processed by the sender-bound connector',
  text: 'Message text',
  cut: 'The message is longer: the file has all of it.',
  download: 'Download .eml',
  gone: 'The sandbox no longer keeps this message',
  goneHint: 'It keeps the newest only (sandbox.keepMessages), or the inbox was emptied.',
}

export type Words = typeof en
