/** The thread that inspects messages for `inspector.ts`, one after the other. It is ended from outside. */
import { parentPort } from 'node:worker_threads'
import type { FromWorker, ToWorker } from './inspector-messages.ts'
import { inspect } from './mime.ts'

const port = parentPort!
const send = (message: FromWorker): void => port.postMessage(message)

/** What has come of the message and has not been read. */
const waiting: ToWorker[] = []
let wake: (() => void) | null = null
const nothing = Buffer.alloc(0)

port.on('message', (message: ToWorker) => {
  waiting.push(message)
  if (wake !== null) wake()
})
send({ kind: 'ready' })
await work()

async function work(): Promise<never> {
  for (;;) {
    const first = await next()
    try {
      send({
        kind: 'content',
        content: await inspect({ header: nothing, body: { read: () => octets(first) } }),
      })
    } catch (error) {
      send({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
    }
  }
}

/** The inspection reads them as one stream; where the header ends it sees for itself. */
async function* octets(first: ToWorker): AsyncIterable<Buffer> {
  for (let message = first; ; message = await next()) {
    if (message.kind === 'abandon') throw new Error('given up')
    yield Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength)
    if (message.last) return
    send({ kind: 'read' })
  }
}

async function next(): Promise<ToWorker> {
  while (waiting.length === 0)
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  wake = null
  return waiting.shift()!
}
