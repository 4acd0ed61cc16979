/** Messages that the sandbox took, as they are shown. Pure. */
import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import type { KeptMessage } from '../../lab/sandbox.ts'
import { splitDraft } from '../../message/draft.ts'
import { type HeaderField, parseHeader } from '../../message/header.ts'
import { HeaderView } from '../../message/header-view.ts'

const listedFields = {
  id: z.string(),
  receivedAt: z.number(),
  from: z.string().describe('of the envelope; the empty string is the null reverse-path'),
  to: z.array(z.string()).describe('of the envelope'),
  subject: z.string().describe('decoded'),
  sizeBytes: z.number(),
  tls: z.string().nullable().describe('the version; null: it came in clear'),
  user: z.string().describe('who had logged in'),
}

export const inboxPageView = z.object({
  messages: z.array(z.object(listedFields)),
  next: z.string().nullable().describe('pass it as `after` to go on'),
  kept: z.number().describe('how many there are'),
})
export type InboxPage = z.infer<typeof inboxPageView>
export type InboxMessage = InboxPage['messages'][number]

export const inboxMessageView = z.object({
  ...listedFields,
  headers: z
    .array(z.object({ name: z.string(), value: z.string() }))
    .describe('unfolded and decoded, in their order'),
  text: z.string().describe('the message as it came, up to 64 KB of it'),
})
export type InboxMessageView = z.infer<typeof inboxMessageView>

export const mostTextBytes = 64 * 1024

export function inboxMessage(kept: KeptMessage): InboxMessage {
  const { id, receivedAt, envelope, raw, tls, user } = kept
  return {
    id,
    receivedAt,
    from: envelope.from,
    to: envelope.to.map(({ address }) => address),
    subject: subjectOf(kept),
    sizeBytes: raw.length,
    tls,
    user,
  }
}

export function inboxMessageWhole(kept: KeptMessage): InboxMessageView {
  return { ...inboxMessage(kept), headers: headersOf(kept.raw), text: textOf(kept.raw) }
}

/** A page is asked for again and again, and its messages stay what they are. */
const subjects = new WeakMap<KeptMessage, string>()

function subjectOf(kept: KeptMessage): string {
  const known = subjects.get(kept)
  if (known !== undefined) return known
  const subject = new HeaderView(splitDraft(kept.raw).header).subject
  subjects.set(kept, subject)
  return subject
}

function headersOf(raw: Buffer): { name: string; value: string }[] {
  const { header } = splitDraft(raw)
  const view = new HeaderView(header)
  const seen = new Map<string, number>()
  return parseHeader(header).fields.flatMap((field) => {
    if (field.name === null) return []
    const nth = seen.get(field.name) ?? 0
    seen.set(field.name, nth + 1)
    return [{ name: writtenName(field), value: view.values(field.name)[nth] ?? '' }]
  })
}

/** With its capitals. */
const writtenName = ({ raw }: HeaderField): string => raw.toString('latin1').split(':', 1)[0]!.trim()

/** As UTF-8 where it is, else each octet as a character. A character that the end cuts is left out. */
function textOf(raw: Buffer): string {
  const beginning = raw.subarray(0, mostTextBytes)
  return isUtf8(raw) ? new TextDecoder().decode(beginning, { stream: true }) : beginning.toString('latin1')
}
