/**
 * Inspects messages away from the thread that speaks SMTP: a message that is hard to read delays no other session.
 * One worker, made when it is first needed, takes one message after the other. Each has a deadline, which does not
 * count its waiting; a worker that overruns it, or its memory, is ended, and the next message gets a new one.
 */
import { Worker } from 'node:worker_threads'
import { type Draft, readDraft } from '../draft.ts'
import type { MessageContent } from './content.ts'
import type { FromWorker, ToWorker } from './inspector-messages.ts'

/** The content could not be inspected: each rule says what then. */
export class InspectionFailed extends Error {
  override name = 'InspectionFailed'
}

export interface InspectorOptions {
  readonly deadlineMs?: number
  /** The program of the worker. */
  readonly worker?: URL
}

const usualDeadlineMs = 5000
/** Usual mail takes a millisecond or less; where so many wait, clients had better come again later. */
const mostWaiting = 1000
/** Octets in one message to the worker; what it has not read yet is at most `mostUnread` of these. */
const chunkBytes = 64 * 1024
const mostUnread = 4
/** Of V8's heap. Octets lie outside it; `mime.ts` bounds them. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 }

export class ContentInspector {
  readonly #deadlineMs: number
  readonly #program: URL
  readonly #waiting: Job[] = []
  #worker: InspectionWorker | null = null
  #state: 'idle' | 'busy' | 'closed' = 'idle'

  constructor({ deadlineMs = usualDeadlineMs, worker = besideThis() }: InspectorOptions = {}) {
    this.#deadlineMs = deadlineMs
    this.#program = worker
  }

  /** Rejects with `InspectionFailed`, or with the error that reading the draft gave. */
  inspect(draft: Draft): Promise<MessageContent> {
    if (this.#state === 'closed') return Promise.reject(closed())
    if (this.#waiting.length >= mostWaiting)
      return Promise.reject(new InspectionFailed(`${mostWaiting} messages wait to be inspected already`))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ draft, resolve, reject })
      if (this.#state === 'idle') void this.#work()
    })
  }

  /** Ends the worker; what is being inspected, and what waits, fails. */
  async close(): Promise<void> {
    this.#state = 'closed'
    for (const { reject } of this.#waiting.splice(0)) reject(closed())
    await this.#worker?.end(closed())
  }

  async #work(): Promise<void> {
    this.#state = 'busy'
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      if (this.#worker === null || this.#worker.ended) this.#worker = new InspectionWorker(this.#program)
      await this.#worker.inspect(job.draft, this.#deadlineMs).then(job.resolve, job.reject)
    }
    if (this.#state === 'busy') this.#state = 'idle'
  }
}

interface Job {
  readonly draft: Draft
  readonly resolve: (content: MessageContent) => void
  readonly reject: (error: unknown) => void
}

/** The compiled one. */
function besideThis(): URL {
  return new URL('./inspector-worker.js', import.meta.url)
}

const closed = (): InspectionFailed => new InspectionFailed('the inspector is closed')

/** One worker thread, and the message it has in hand. */
class InspectionWorker {
  readonly #thread: Worker
  readonly #ready: Promise<void>
  #answer: Answer | null = null
  #unread = 0
  #abandoned = false
  #failure: InspectionFailed | null = null
  /** Woken when something changes that `#send` waits for. */
  #wake: (() => void) | null = null

  constructor(program: URL) {
    this.#thread = new Worker(program, { resourceLimits, name: 'inspector', execArgv: [] })
    this.#ready = new Promise((resolve) => {
      this.#thread.once('message', () => resolve())
      this.#thread.once('exit', () => resolve())
    })
    this.#thread.on('message', (message: FromWorker) => this.#receive(message))
    this.#thread.on('error', (error) => this.#fail(new InspectionFailed(error.message)))
    this.#thread.on('exit', () => this.#fail(new InspectionFailed('the worker ended')))
  }

  get ended(): boolean {
    return this.#failure !== null
  }

  async inspect(draft: Draft, deadlineMs: number): Promise<MessageContent> {
    this.#thread.ref()
    await this.#ready
    const deadline = setTimeout(() => {
      void this.end(new InspectionFailed(`the message was not inspected within ${deadlineMs} ms`))
    }, deadlineMs)
    try {
      return await this.#inspect(draft)
    } finally {
      clearTimeout(deadline)
      this.#thread.unref()
    }
  }

  async end(reason: InspectionFailed): Promise<void> {
    this.#fail(reason)
    await this.#thread.terminate()
  }

  async #inspect(draft: Draft): Promise<MessageContent> {
    const answer = new Promise<MessageContent>((resolve, reject) => {
      this.#answer = { resolve, reject }
      if (this.#failure !== null) reject(this.#failure)
    })
    try {
      // Who gives the draft may hang; the deadline must not wait for it.
      await Promise.race([this.#sendAll(draft), answer])
    } catch (error) {
      if (this.#failure !== null) throw this.#failure
      // The worker must be done with it before the next one comes; what it says of half a message is nothing.
      this.#abandoned = true
      this.#post({ kind: 'abandon' })
      await answer.catch(() => undefined)
      this.#abandoned = false
      throw error
    }
    return await answer
  }

  /** Chunks of one size: copied, because their memory goes to the other thread. */
  async #sendAll(draft: Draft): Promise<void> {
    this.#unread = 0
    const gathered = new Gatherer()
    for await (const chunk of readDraft(draft)) {
      for (let at = 0; at < chunk.length; ) {
        at += gathered.add(chunk, at)
        if (gathered.full) await this.#send(gathered.take())
        if (this.#failure !== null) return
      }
    }
    this.#post({ kind: 'bytes', bytes: gathered.take(), last: true })
  }

  async #send(bytes: Uint8Array): Promise<void> {
    while (this.#unread >= mostUnread && this.#failure === null)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    this.#unread++
    this.#post({ kind: 'bytes', bytes, last: false })
  }

  #post(message: ToWorker): void {
    if (message.kind === 'bytes') this.#thread.postMessage(message, [message.bytes.buffer as ArrayBuffer])
    else this.#thread.postMessage(message)
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'read') this.#unread--
    else if (message.kind === 'content') this.#settle()?.resolve(message.content)
    else if (message.kind === 'failed') this.#failed(new InspectionFailed(message.reason))
    this.#wake?.()
  }

  /** Of a message that was not given up it is a fault of ours: what else was sent of it must reach nobody. */
  #failed(failure: InspectionFailed): void {
    if (this.#abandoned) this.#settle()?.reject(failure)
    else void this.end(failure)
  }

  #fail(failure: InspectionFailed): void {
    this.#failure ??= failure
    this.#settle()?.reject(this.#failure)
    this.#wake?.()
  }

  #settle(): Answer | null {
    const answer = this.#answer
    this.#answer = null
    return answer
  }
}

interface Answer {
  readonly resolve: (content: MessageContent) => void
  readonly reject: (failure: InspectionFailed) => void
}

/** Puts crumbs together: a small message goes over in one piece. */
class Gatherer {
  #pieces: Buffer[] = []
  #bytes = 0

  get full(): boolean {
    return this.#bytes === chunkBytes
  }

  /** How many octets it took of the chunk. */
  add(chunk: Buffer, at: number): number {
    const piece = chunk.subarray(at, at + chunkBytes - this.#bytes)
    this.#pieces.push(piece)
    this.#bytes += piece.length
    return piece.length
  }

  /** Memory of its own, so that it can be handed over. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.#bytes)
    let at = 0
    for (const piece of this.#pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    this.#pieces = []
    this.#bytes = 0
    return bytes
  }
}
