/** A listener, for as long as the test runs, with a reception that keeps what it was asked and given, as the tests of this folder use it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { type Config, type ListenerConfig, listenerSchema } from '../../src/config/schema.ts'
import type { EnvelopeRecipient } from '../../src/envelope.ts'
import type { MailEvent } from '../../src/observe/events.ts'
import type { Log } from '../../src/observe/log.ts'
import type { ProtocolLogs } from '../../src/observe/protocol-log/protocol-logs.ts'
import { permanent, type Reply, success } from '../../src/reply.ts'
import { Intake, MessageRefused } from '../../src/smtp/intake.ts'
import { type Listener, startListener } from '../../src/smtp/listener.ts'
import type { MessageLimits, Reception, Transaction } from '../../src/smtp/transaction.ts'

export interface KeptMessage {
  readonly transaction: Transaction
  readonly bytes: Buffer
}

/** The peer of the listener's own interface: it keeps what it gets, and can be told to behave otherwise. */
export class RecordingReception implements Reception {
  readonly messages: KeptMessage[] = []
  readonly failures: unknown[] = []
  /** How many times `message` was called. */
  begun = 0
  /** Awaited after the last octet, before the reply: the store, as slow as a test wants it. */
  beforeReply: () => Promise<void> = async () => {}
  onRecipient: (recipient: EnvelopeRecipient) => Reply | null = () => null

  recipient(_transaction: Transaction, recipient: EnvelopeRecipient): Reply | null {
    return this.onRecipient(recipient)
  }

  async message(
    transaction: Transaction,
    content: AsyncIterable<Buffer>,
    limits: MessageLimits,
  ): Promise<Reply> {
    this.begun++
    try {
      const intake = new Intake(limits)
      const chunks: Buffer[] = []
      for await (const chunk of content) chunks.push(Buffer.from(intake.write(chunk)))
      intake.end()
      await this.beforeReply()
      this.messages.push({ transaction, bytes: Buffer.concat(chunks) })
      return success('6.0', 'Queued as TEST')
    } catch (error) {
      if (error instanceof MessageRefused) return error.reply
      this.failures.push(error)
      return permanent('3.0', 'failed', 554)
    }
  }
}

export interface RunningListener {
  readonly listener: Listener
  readonly port: number
  readonly reception: RecordingReception
  readonly events: MailEvent[]
  readonly logged: { level: string; fields: Record<string, unknown>; text: string }[]
  readonly dataDir: string
}

export interface RunOptions {
  readonly config?: Partial<ListenerConfig>
  readonly access?: Partial<Config['access']>
  readonly reception?: RecordingReception
  readonly clock?: Clock
  readonly dataDir?: string
  readonly protocolLogs?: ProtocolLogs
}

export async function runListener(options: RunOptions = {}): Promise<RunningListener> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'relay-listener-'))
  const reception = options.reception ?? new RecordingReception()
  const events: MailEvent[] = []
  const logged: RunningListener['logged'] = []
  const config = {
    ...listenerSchema.parse({ name: 'test', port: 0, tls: 'off' }),
    ...options.config,
  }
  const listener = await startListener(config, {
    hostname: 'relay.example.com',
    dataDir,
    access: { networks: ['127.0.0.0/8'], users: [], fromField: 'check', ...options.access },
    reception,
    record: (event) => events.push(event),
    log: collectingLog(logged),
    clock: options.clock ?? systemClock,
    ...(options.protocolLogs && { protocolLogs: options.protocolLogs }),
  })
  onTestFinished(async () => {
    await listener.stop(0)
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
  })
  return {
    listener,
    port: listener.port,
    reception,
    events,
    logged,
    dataDir,
  }
}

function collectingLog(lines: RunningListener['logged']): Log {
  const at =
    (level: string) =>
    (fields: unknown, text?: string): void => {
      lines.push({ level, fields: fields as Record<string, unknown>, text: text ?? '' })
    }
  const log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
  }
  return log as unknown as Log
}
