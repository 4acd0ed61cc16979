import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { auditRun } from '../../src/lab/audit.ts'
import { drain, relayed } from '../../src/lab/drain.ts'
import { type LoadOptions, type LoadProgress, type LoadResult, runLoad } from '../../src/lab/load.ts'
import type { LoadTarget } from '../../src/lab/load-client.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/lab/sandbox.ts'
import { login } from './submitter.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function sandboxWith(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ ...login, keepLedger: true, ...options })
  cleanups.push(() => sandbox.stop())
  return sandbox
}

function targetOf(sandbox: Sandbox, change: Partial<LoadTarget> = {}): LoadTarget {
  const ca = sandbox.certificate
  return {
    ...{ host: '127.0.0.1', port: sandbox.port, tls: sandbox.certificate ? 'starttls' : 'off', auth: login },
    trust: { secureContext: ca === null ? null : createSecureContext({ ca }), insecure: false },
    ...{ ehloName: 'load.example.com', timeoutMs: 10_000 },
    ...change,
  }
}

const optionsFor = (target: LoadTarget, change: Partial<LoadOptions> = {}): LoadOptions => ({
  ...{ target, run: 'test', seed: 1, from: ['load@example.com'], to: ['u{seq}-{n}@example.org'] },
  ...{
    recipientsPerMessage: 1,
    sizes: { kind: 'list', bytes: [2000] },
    sessions: 4,
    messagesPerConnection: 10,
  },
  ...{ messages: 50, durationMs: null, rate: null, retryForMs: 0, acceptedLog: null },
  ...change,
})

const auditOf = (result: LoadResult, sandbox: Sandbox) =>
  auditRun(result.submitted, sandbox.ledger, { run: result.run })

const clean = {
  lost: [],
  duplicated: [],
  altered: [],
  withoutConfirmation: [],
  sentAgain: [],
  unexpected: [],
}

describe('a load run', () => {
  it.each(['starttls', 'implicit', 'none'] as const)(
    'is accepted and audited clean with tls %s',
    async (tls) => {
      const sandbox = await sandboxWith({ tls })
      const target = targetOf(sandbox, tls === 'implicit' ? { tls } : {})
      const result = await runLoad(optionsFor(target, { recipientsPerMessage: 3 }))
      expect(result).toMatchObject({
        accepted: 50,
        acceptedRecipients: 150,
        acceptedBytes: 100_000,
        refused: 0,
        failed: 0,
      })
      expect(result.latency.count).toBe(50)
      expect(result.perSecond.reduce((sum, count) => sum + count, 0)).toBe(50)
      expect(auditOf(result, sandbox)).toEqual({ ...clean, accepted: 150, delivered: 150 })
      expect(sandbox.counts).toMatchObject({ messages: 50, recipients: 150, refusals: 0 })
    },
  )

  it('sends large messages, in pieces, unaltered', async () => {
    const sandbox = await sandboxWith()
    const sizes = { kind: 'range', minBytes: 100_000, maxBytes: 2_000_000 } as const
    const result = await runLoad(optionsFor(targetOf(sandbox), { sizes, messages: 20 }))
    expect(auditOf(result, sandbox)).toEqual({ ...clean, accepted: 20, delivered: 20 })
  })

  it('makes a new connection after so many messages', async () => {
    const sandbox = await sandboxWith()
    const result = await runLoad(optionsFor(targetOf(sandbox), { sessions: 1, messages: 25 }))
    expect([result.connections, sandbox.counts.connections]).toEqual([3, 3])
  })

  it('keeps to the rate', async () => {
    const sandbox = await sandboxWith()
    const result = await runLoad(optionsFor(targetOf(sandbox), { messages: 40, rate: 100 }))
    // The last turn is 390 ms after the first.
    expect(result.elapsedMs).toBeGreaterThanOrEqual(385)
    expect(result.acceptedPerSecond).toBeLessThan(104)
  })

  it('charges a server that stalls for every message that had to wait', async () => {
    const sandbox = await sandboxWith()
    sandbox.pause()
    setTimeout(() => sandbox.resume(), 400)
    const result = await runLoad(optionsFor(targetOf(sandbox), { messages: 40, rate: 100, sessions: 2 }))
    expect(result.accepted).toBe(40)
    // Turns came every 10 ms while nothing was answered: about half of them waited 200 ms or more.
    expect(result.latency.p50Ms).toBeGreaterThan(100)
  })

  it('ends after the duration', async () => {
    const sandbox = await sandboxWith()
    const result = await runLoad(optionsFor(targetOf(sandbox), { messages: null, durationMs: 300 }))
    expect(result.elapsedMs).toBeGreaterThanOrEqual(300)
    expect(result.elapsedMs).toBeLessThan(2000)
    expect(auditOf(result, sandbox)).toMatchObject({ ...clean, accepted: sandbox.counts.messages })
  })

  it('can be stopped, and then still reports what was accepted', async () => {
    const sandbox = await sandboxWith()
    const controller = new AbortController()
    void sandbox.received(20).then(() => controller.abort())
    const options = optionsFor(targetOf(sandbox), { messages: null, rate: 200 })
    const result = await runLoad(options, { signal: controller.signal })
    expect(result.accepted).toBeGreaterThanOrEqual(20)
    expect(auditOf(result, sandbox)).toMatchObject({ ...clean, accepted: sandbox.counts.messages })
  })

  it('tells of its progress', async () => {
    const sandbox = await sandboxWith()
    const seen: LoadProgress[] = []
    await runLoad(optionsFor(targetOf(sandbox)), { onProgress: (progress) => seen.push(progress) })
    expect(seen.at(-1)).toMatchObject({ accepted: 50, refused: 0 })
  })
})

describe('what is refused', () => {
  it('is counted by reply, and is not in the audit', async () => {
    const sandbox = await sandboxWith()
    const to = ['dot-554@example.org', 'rcpt-550@example.org', 'data-452@example.org', 'good@example.org']
    const result = await runLoad(optionsFor(targetOf(sandbox), { to, messages: 40 }))
    expect(result).toMatchObject({ accepted: 10, refused: 30, failed: 0 })
    expect(new Set(result.refusals.map(({ reason, count }) => `${count} ${reason}`))).toEqual(
      new Set([
        '10 dot: 554 5.6.0 Refused at DOT, as asked for',
        '10 RCPT: 550 5.1.1 Refused at RCPT, as asked for',
        '10 DATA: 452 4.3.0 Refused at DATA, as asked for',
      ]),
    )
    expect(auditOf(result, sandbox)).toEqual({ ...clean, accepted: 10, delivered: 10 })
  })

  it('does not stand in the way of the other recipients', async () => {
    const sandbox = await sandboxWith()
    const options = {
      to: ['rcpt-550@example.org', 'good@example.org'],
      recipientsPerMessage: 2,
      messages: 10,
    }
    const result = await runLoad(optionsFor(targetOf(sandbox), options))
    expect(result).toMatchObject({ accepted: 10, acceptedRecipients: 10, refusedRecipients: 10 })
    expect(auditOf(result, sandbox)).toEqual({ ...clean, accepted: 10, delivered: 10 })
  })

  it('ends the connection where it was 421', async () => {
    const sandbox = await sandboxWith()
    sandbox.switches.maxMessagesPerConnection = 3
    const result = await runLoad(
      optionsFor(targetOf(sandbox), { messages: 20, retryForMs: 10_000, sessions: 1 }),
    )
    expect(result).toMatchObject({ accepted: 20, refused: 0, connections: 7 })
    expect(auditOf(result, sandbox)).toEqual({ ...clean, accepted: 20, delivered: 20 })
  })

  it('is sent again where asked for and the refusal was temporary', async () => {
    const sandbox = await sandboxWith()
    const to = ['rcpt-450-first-1-{seq}@example.org', 'rcpt-550@example.org']
    const result = await runLoad(optionsFor(targetOf(sandbox), { to, messages: 10, retryForMs: 10_000 }))
    expect(result).toMatchObject({ accepted: 5, refused: 5, retries: 5 })
  })
})

describe('what breaks', () => {
  it('is reported as sent without confirmation where the reply to the dot is missing', async () => {
    const sandbox = await sandboxWith()
    const to = ['drop-dot-kept@example.org', 'drop-dot@example.org', 'good@example.org']
    const result = await runLoad(optionsFor(targetOf(sandbox), { to, messages: 9, sessions: 1 }))
    expect(result).toMatchObject({ accepted: 3, failed: 6, unconfirmed: 6 })
    expect(result.failures).toEqual([{ reason: 'after the final dot: connection closed', count: 6 }])
    expect(auditOf(result, sandbox)).toEqual({
      ...clean,
      accepted: 3,
      delivered: 3,
      withoutConfirmation: [3, 6, 9],
    })
  })

  it('is sent again where asked for, and the second delivery is explained', async () => {
    const sandbox = await sandboxWith()
    const to = ['drop-dot-kept-first-1-{seq}@example.org', 'drop-body-first-1-{seq}@example.org']
    const result = await runLoad(optionsFor(targetOf(sandbox), { to, messages: 10, retryForMs: 10_000 }))
    expect(result).toMatchObject({ accepted: 10, failed: 0, retries: 10, unconfirmed: 5 + 5 })
    const audit = auditOf(result, sandbox)
    expect(audit).toMatchObject({ ...clean, accepted: 10, delivered: 10, sentAgain: expect.any(Array) })
    expect(audit.sentAgain).toHaveLength(5)
  })

  it('survives a server that goes away and comes back', async () => {
    const certificate = { directory: temporaryDirectory() }
    const first = await sandboxWith({ certificate })
    const { port } = first
    const stopped = first.received(30).then(() => first.stop())
    const running = runLoad(optionsFor(targetOf(first), { rate: 200, messages: 100, retryForMs: 15_000 }))
    await stopped
    const second = await sandboxWith({ certificate, port })
    const result = await running
    expect(result).toMatchObject({ accepted: 100, failed: 0 })
    const audit = auditRun(result.submitted, [...first.ledger, ...second.ledger], { run: result.run })
    expect(audit).toMatchObject({ accepted: 100, delivered: 100, lost: [], duplicated: [], altered: [] })
  })

  it('is a failed connection with its reason where nobody listens', async () => {
    const sandbox = await sandboxWith()
    const target = targetOf(sandbox)
    await sandbox.stop()
    const result = await runLoad(optionsFor(target, { messages: 4 }))
    expect(result).toMatchObject({ accepted: 0, failed: 4, connections: 0, failedConnections: 4 })
    expect(result.failures).toEqual([
      { reason: expect.stringMatching(/^greeting: .*ECONNREFUSED/), count: 4 },
    ])
  })

  it.each<[string, Partial<LoadTarget>, RegExp]>([
    [
      'the certificate is not trusted',
      { trust: { secureContext: null, insecure: false } },
      /^TLS: self-signed/,
    ],
    ['the password is wrong', { auth: { ...login, password: 'wrong' } }, /^AUTH: 535 5\.7\.8 /],
    ['it is spoken to in the wrong kind of TLS', { tls: 'implicit' }, /^TLS: /],
  ])('is a failed connection with its reason where %s', async (_, change, reason) => {
    const sandbox = await sandboxWith()
    const result = await runLoad(optionsFor(targetOf(sandbox, change), { messages: 1 }))
    expect(result.failures).toEqual([{ reason: expect.stringMatching(reason), count: 1 }])
    expect(sandbox.counts.messages).toBe(0)
  })

  it('takes any certificate where told to', async () => {
    const sandbox = await sandboxWith()
    const trust = { secureContext: null, insecure: true }
    expect(await runLoad(optionsFor(targetOf(sandbox, { trust })))).toMatchObject({ accepted: 50 })
  })
})

describe('the accepted log', () => {
  it('has a line for each acceptance and for each message without an answer', async () => {
    const sandbox = await sandboxWith()
    const acceptedLog = join(temporaryDirectory(), 'accepted')
    const to = ['drop-dot@example.org', 'good-{seq}@example.org']
    const result = await runLoad(optionsFor(targetOf(sandbox), { to, messages: 6, acceptedLog }))
    const lines = readFileSync(acceptedLog, 'utf8').trimEnd().split('\n')
    const logged = lines.map((line) => JSON.parse(line)).sort((a, b) => a.seq - b.seq)
    const submitted = [...result.submitted].sort((a, b) => a.seq - b.seq)
    expect(logged).toEqual(submitted.map((message) => ({ run: 'test', ...message })))
    expect(logged.map((message) => [message.accepted.length, message.unconfirmed])).toEqual([
      ...[1, 2, 3, 4, 5, 6].map((seq) => (seq % 2 === 0 ? [0, 1] : [1, 0])),
    ])
  })
})

describe('the drain', () => {
  it('waits until the ledger holds all that was accepted, and tells the rate', async () => {
    const ledgerFile = join(temporaryDirectory(), 'ledger')
    const sandbox = await sandboxWith({ ledgerFile })
    const result = await runLoad(optionsFor(targetOf(sandbox)))
    const submitted = [...result.submitted, { ...lateMessage, accepted: ['late@example.org'] }]
    const outstanding: number[] = []
    const drained = await drain(
      { run: result.run, submitted },
      {
        ledgerFile,
        timeoutMs: 10_000,
        onProgress: (recipients) => {
          outstanding.push(recipients)
          if (outstanding.length === 1) appendLateEntry(ledgerFile)
        },
      },
    )
    expect(outstanding).toEqual([1, 0])
    expect(drained).toMatchObject({ complete: true, unreadable: 0 })
    expect(drained.entries).toHaveLength(51)
    expect(relayed(result, drained.entries)).toMatchObject({ deliveries: 51 })
  })

  it('gives up when time is up', async () => {
    const submitted = [{ ...lateMessage, accepted: ['late@example.org'] }]
    const options = { ledgerFile: join(temporaryDirectory(), 'none'), timeoutMs: 150 }
    expect(await drain({ run: 'test', submitted }, options)).toEqual({
      ...{ entries: [], complete: false, unreadable: 0 },
    })
  })
})

const lateMessage = {
  ...{ seq: 51, sha256: 'f', sizeBytes: 1, from: 'load@example.com', offered: ['late@example.org'] },
  ...{ acceptedAt: 1, unconfirmed: 0 },
}

function appendLateEntry(ledgerFile: string): void {
  const entry = { ...{ run: 'test', seq: 51, sizeBytes: 1, sha256: 'f', from: 'load@example.com' } }
  const line = JSON.stringify({ ...entry, to: ['late@example.org'], receivedAt: Date.now(), messageId: null })
  appendFileSync(ledgerFile, `${line}\n`)
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'relay-load-'))
  cleanups.push(() => rmSync(directory, { recursive: true }))
  return directory
}
