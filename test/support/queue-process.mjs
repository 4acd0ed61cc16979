/**
 * The embedded queue in a process of its own, to be killed or starved: `node queue-process.mjs DIR hold|put|fill`.
 * It speaks in lines on standard output, and is written in JavaScript because it runs the built program.
 */
import { createHash, randomBytes } from 'node:crypto'
import { itemId, newMessageId } from '../../dist/message-id.js'
import { openEmbeddedQueue } from '../../dist/queue/embedded/embedded.js'

const [dir, mode] = process.argv.slice(2)
const now = Date.now()
const say = (...words) => process.stdout.write(`${words.join(' ')}\n`)
const quiet = () => undefined
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet, fatal: quiet }

function message(bytes) {
  const id = newMessageId(Date.now())
  const item = {
    id: itemId(id, 1),
    messageId: id,
    connector: 'alpha',
    sender: { from: 'a@example.com', bodyType: '7bit', smtpUtf8: false, ret: null, envid: null },
    recipients: [
      {
        address: 'b@example.org',
        notify: null,
        orcpt: null,
        state: 'pending',
        lastReply: null,
        lastHost: null,
      },
    ],
    client: { address: null, listener: null, user: null },
    internetMessageId: null,
    eightBit: true,
    sizeBytes: bytes.length,
    receivedAt: now,
    expiresAt: now + 1e9,
    delayNoticeAt: null,
    attempts: 0,
    nextAttemptAt: now,
    suspended: null,
    requireTls: false,
    boundMark: false,
    lastError: null,
  }
  return { id, body: { kind: 'inline', bytes }, items: [item] }
}

/** Puts for ever, and says each message that was acknowledged with the hash of its body. */
async function put(queue) {
  const loop = async () => {
    for (;;) {
      const bytes = randomBytes(Math.floor(Math.random() ** 4 * 200_000))
      const kept = message(bytes)
      await queue.put(kept, { now })
      say(kept.id, createHash('sha256').update(bytes).digest('hex'))
    }
  }
  await Promise.all(Array.from({ length: 16 }, loop))
}

/** Fills the disk, says how that was answered, makes room, and says whether mail is taken again. */
async function fill(queue) {
  const stage = await queue.stage(newMessageId(now))
  const kept = []
  let refusal = null
  while (refusal === null) {
    const next = message(randomBytes(100_000))
    await queue.put(next, { now }).then(
      () => kept.push(next),
      (error) => {
        refusal = error
      },
    )
  }
  const stillRefused = await queue.put(message(randomBytes(300_000)), { now }).catch((error) => error.name)
  say(JSON.stringify({ kept: kept.length, refusal: refusal.name, stillRefused, fault: queue.fault() }))
  await stage.discard()

  let whole = 0
  for (const { id, body } of kept) {
    const chunks = []
    for await (const chunk of queue.body(id)) chunks.push(chunk)
    if (body.bytes.equals(Buffer.concat(chunks))) whole++
  }
  const { leased } = await queue.claim({
    now,
    leaseMs: 1e6,
    connectors: [{ connector: 'alpha', limit: 1000 }],
  })
  for (const { lease } of leased.slice(1)) await queue.settle(lease, { items: [], dsn: null }, { now })
  await queue.put(message(randomBytes(300_000)), { now })
  const { items } = await queue.totals({ now })
  say(JSON.stringify({ whole, leased: leased.length, items, fault: queue.fault() }))
}

/** As happens to every process that lives long enough: what nothing refers to is gone, with what it held in LMDB. */
async function collectGarbage() {
  for (let round = 0; round < 5; round++) {
    globalThis.gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

try {
  const queue = await openEmbeddedQueue({ dir, maxItems: 1e6, maxBytes: 1e12, log })
  if (mode === 'put') await put(queue)
  if (mode === 'fill') await fill(queue)
  if (mode === 'hold') {
    await collectGarbage()
    say('open')
    await new Promise((resolve) => process.stdin.once('close', resolve).resume())
  }
  await queue.close({ deadlineMs: 1000 })
} catch (error) {
  say(`${error.name}: ${error.message}`)
  process.exitCode = 1
}
