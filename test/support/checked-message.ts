/** Messages as an outside checker gets them: a valid whole, of which a test says only what matters to it. */
import type { EnvelopeRecipient } from '../../src/envelope.ts'
import type { BodySource, Draft } from '../../src/message/draft.ts'
import { newMessageId } from '../../src/message-id.ts'
import type { CheckedMessage } from '../../src/policy/checkers/checker.ts'
import type { Session, Transaction } from '../../src/smtp/transaction.ts'
import { sender, t0 } from './queue-fixtures.ts'

export interface CheckedFields {
  readonly header?: string | Buffer
  readonly body?: string | Buffer | BodySource
  readonly from?: string
  readonly to?: readonly string[]
  readonly session?: Partial<Session>
  readonly declaredSizeBytes?: number | null
}

export function transactionOf(fields: CheckedFields = {}): Transaction {
  const { from = 'sender@example.com', to = ['user@example.org'], declaredSizeBytes = null } = fields
  return {
    session: {
      id: 's1',
      client: { address: '192.0.2.7', listener: 'exchange', user: null },
      helo: 'client.example.com',
      protocol: 'ESMTP',
      tls: null,
      senders: 'all',
      ...fields.session,
    },
    sender: sender(from),
    declaredSizeBytes,
    recipients: to.map(recipientOf),
  }
}

export const recipientOf = (address: string): EnvelopeRecipient => ({ address, notify: null, orcpt: null })

/** `submitted` is the transaction itself, as of a message that no checker has changed yet. */
export function checkedMessage(fields: CheckedFields = {}): CheckedMessage {
  const { header = 'From: <sender@example.com>\r\nSubject: A letter\r\n\r\n', body = 'Hello\r\n' } = fields
  const transaction = transactionOf(fields)
  const bytes = Buffer.from(header)
  return {
    messageId: newMessageId(t0),
    transaction,
    submitted: transaction,
    draft: { header: bytes, body: bodyOf(body) },
    sizeBytes: bytes.length + (typeof body === 'string' || Buffer.isBuffer(body) ? body.length : 0),
    async keep(chunks) {
      const kept: Buffer[] = []
      for await (const chunk of chunks) kept.push(chunk)
      return bodyOf(Buffer.concat(kept))
    },
  }
}

export async function textOf(draft: Draft): Promise<string> {
  let text = draft.header.toString('latin1')
  for await (const chunk of draft.body.read()) text += chunk.toString('latin1')
  return text
}

function bodyOf(body: string | Buffer | BodySource): BodySource {
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return body
  return {
    async *read() {
      yield Buffer.from(body)
    },
  }
}
