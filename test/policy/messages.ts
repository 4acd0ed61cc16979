/** Rules and messages of tests, in as few words as the test is about. */
import { ruleSchema } from '../../src/config/policy-schema.ts'
import type { Attachment, MessageContent } from '../../src/message/content/content.ts'
import { HeaderView } from '../../src/message/header-view.ts'
import { type CompiledRules, compileRules, evaluate } from '../../src/policy/rules/evaluate.ts'
import type { Verdict } from '../../src/policy/rules/verdict.ts'
import type { MessageView } from '../../src/policy/rules/view.ts'

export interface TestMessage {
  readonly sender?: string
  readonly recipients?: readonly string[]
  readonly client?: Partial<MessageView['client']>
  readonly now?: number
  readonly sizeBytes?: number
  /** Lines, as text or as octets. */
  readonly header?: string | Buffer
  readonly content?: Partial<MessageContent> | 'unread' | 'failed'
}

export function viewOf(message: TestMessage): MessageView {
  const { content = {}, header = '' } = message
  return {
    sender: message.sender ?? 'sender@example.com',
    recipients: message.recipients ?? ['recipient@example.org'],
    client: { address: '192.0.2.1', listener: 'exchange', user: null, ...message.client },
    now: message.now ?? Date.parse('2026-07-01T12:00:00Z'),
    sizeBytes: message.sizeBytes ?? 4096,
    header: new HeaderView(Buffer.isBuffer(header) ? header : Buffer.from(`${header}\n\n`)),
    content: typeof content === 'string' ? content : { ...emptyContent, ...content },
  }
}

const emptyContent: MessageContent = {
  text: '',
  textIncomplete: false,
  characterSets: [],
  attachments: [],
  types: [],
  ambiguities: [],
}

export function attachment(name: string | null, fields: Partial<Attachment> = {}): Attachment {
  const dot = name?.lastIndexOf('.') ?? -1
  return {
    name,
    extension: name === null || dot < 0 ? null : name.slice(dot + 1).toLowerCase(),
    contentType: 'application/octet-stream',
    sizeBytes: 1000,
    types: [],
    within: [],
    notInspected: null,
    ...fields,
  }
}

/** Of rules as a configuration has them; those without a name are `rule 0` and so on. */
export function rulesOf(
  rules: readonly Record<string, unknown>[],
  lists: Record<string, string[]> = {},
): CompiledRules {
  const named = rules.map((rule, index) => ruleSchema.parse({ name: `rule ${index}`, ...rule }))
  return compileRules({ rules: named, lists })
}

/** The verdict on a message whose content is known, or not asked for. */
export function judged(rules: CompiledRules, message: TestMessage): Verdict {
  const verdict = evaluate(rules, viewOf(message))
  if (verdict === 'needsContent') throw new Error('The rules ask for content')
  return verdict
}

export function passed(rules: CompiledRules, message: TestMessage): Extract<Verdict, { kind: 'pass' }> {
  const verdict = judged(rules, message)
  if (verdict.kind !== 'pass') throw new Error(`Refused: ${verdict.reply.text}`)
  return verdict
}
