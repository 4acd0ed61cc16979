import { describe, expect, it } from 'vitest'
import type { Edit } from '../../../src/message/edit/edit.ts'
import { applyEdits } from '../../../src/message/edit/edits.ts'
import { bytesOf, draftOf, message } from '../drafts.ts'

const mail = message(
  'Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000',
  'X-Old: 1',
  'From: Ann <ann@example.com>',
  'To: bob@example.net',
  'Subject: Hello',
  'x-old: 2',
  '',
  'Body',
  '',
)

async function edited(edits: readonly Edit[], bytes = mail): Promise<string> {
  const draft = await applyEdits(draftOf(bytes), edits)
  if ('refused' in draft) throw new Error(draft.refused.text)
  return (await bytesOf(draft)).toString('latin1')
}

/** The message with one field changed. */
const withLine = (before: string, after: string): string => mail.toString('latin1').replace(before, after)

describe('applyEdits', () => {
  it.each<[Edit, string]>([
    [
      { kind: 'setHeader', name: 'X-Old', value: 'new' },
      withLine('X-Old: 1', 'X-Old: new').replace('x-old: 2\r\n', ''),
    ],
    [{ kind: 'addHeader', name: 'X-Old', value: 'new' }, withLine('x-old: 2', 'x-old: 2\r\nX-Old: new')],
    [{ kind: 'removeHeader', name: 'x-OLD' }, withLine('X-Old: 1\r\n', '').replace('x-old: 2\r\n', '')],
    [{ kind: 'prefixSubject', text: '[EXT]' }, withLine('Subject: ', 'Subject: [EXT] ')],
    [{ kind: 'rewriteFrom', address: 'new@example.com' }, withLine('<ann@', '<new@')],
    [
      { kind: 'addMailboxes', field: 'To', addresses: ['carol@example.net'] },
      withLine('bob@example.net', 'bob@example.net, carol@example.net'),
    ],
    [
      { kind: 'addMailboxes', field: 'Cc', addresses: ['carol@example.net'] },
      withLine('x-old: 2', 'x-old: 2\r\nCc: carol@example.net'),
    ],
    [{ kind: 'stripReceived' }, withLine('Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n', '')],
  ])('does %j, and nothing else', async (edit, expected) => {
    expect(await edited([edit])).toBe(expected)
  })

  it('does nothing without edits', async () => {
    const draft = draftOf(mail)
    const same = await applyEdits(draft, [])
    expect(same).toEqual(draft)
  })

  it('does edits in their order', async () => {
    const text = await edited([
      { kind: 'removeHeader', name: 'X-Old' },
      { kind: 'addHeader', name: 'X-Old', value: 'a' },
      { kind: 'setHeader', name: 'X-Old', value: 'b' },
      { kind: 'setHeader', name: 'Subject', value: 'Other' },
      { kind: 'prefixSubject', text: '[EXT]' },
    ])
    expect(text).toBe(
      withLine('X-Old: 1\r\n', '').replace('x-old: 2', 'X-Old: b').replace('Hello', '[EXT] Other'),
    )
  })

  it('removes a field from the original too that a later disclaimer attaches', async () => {
    const pdf = message('X-Secret: 1', 'Content-Type: application/pdf', '', 'JVBERi0=', '')
    const disclaimer = {
      kind: 'disclaimer',
      text: 'D',
      html: null,
      position: 'append',
      fallback: 'wrap',
    } as const
    const text = await edited([disclaimer, { kind: 'removeHeader', name: 'X-Secret' }], pdf)
    expect(text).toContain('message/rfc822')
    expect(text).not.toContain('X-Secret')
  })

  it('refuses what a disclaimer refuses', async () => {
    const pdf = message('Content-Type: application/pdf', '', 'JVBERi0=', '')
    const disclaimer = {
      kind: 'disclaimer',
      text: 'D',
      html: null,
      position: 'append',
      fallback: 'reject',
    } as const
    expect(await applyEdits(draftOf(pdf), [disclaimer])).toEqual({
      refused: {
        code: 550,
        enhanced: '5.7.1',
        text: 'The disclaimer that policy demands cannot be added to this message',
      },
    })
  })

  it('reads no body for the header alone', async () => {
    const body = {
      read() {
        throw new Error('The body was read')
      },
    }
    const draft = await applyEdits({ header: mail, body }, [{ kind: 'stripReceived' }])
    expect('header' in draft && draft.header.includes('Received')).toBe(false)
  })
})
