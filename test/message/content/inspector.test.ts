import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import {
  ContentInspector,
  InspectionFailed,
  type InspectorOptions,
} from '../../../src/message/content/inspector.ts'
import type { Draft } from '../../../src/message/draft.ts'
import { builtWorker } from '../../support/built-worker.ts'
import { exe } from '../../support/file-samples.ts'
import { attached, draftOf, mail, multipart, plainPart } from '../../support/mail-builder.ts'

let inspector: ContentInspector | null = null

function start(options: InspectorOptions = {}): ContentInspector {
  inspector = new ContentInspector({ worker: builtWorker, ...options })
  return inspector
}

afterEach(async () => {
  await inspector?.close()
  inspector = null
})

/** A worker that does this with what it gets. */
const workerThat = (does: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads'
      parentPort.postMessage({ kind: 'ready' })
      parentPort.on('message', (message) => { ${does} })`)}`,
  )

const small = (text: string): Draft => draftOf(mail(multipart([plainPart(text), attached('evil.exe', exe)])))

describe('ContentInspector', () => {
  it('says what is in a message', async () => {
    expect(await start().inspect(small('hello'))).toMatchObject({
      text: 'hello',
      attachments: [{ name: 'evil.exe', sizeBytes: exe.length, types: ['executable'] }],
    })
  })

  it('gives each of many messages its own content', async () => {
    const inspecting = start()
    const texts = Array.from({ length: 50 }, (_, index) => `message ${index}`)
    const contents = await Promise.all(texts.map((text) => inspecting.inspect(small(text))))
    expect(contents.map((content) => content.text)).toEqual(texts)
  })

  it.each([1, 1000, 64 * 1024, 300 * 1024])(
    'reads a large message that comes in pieces of %i',
    async (pieceBytes) => {
      const bytes = Buffer.alloc(pieceBytes === 1 ? 100_000 : 2_000_000, 'octets. ')
      const draft = draftOf(mail(multipart([plainPart('x'), attached('a.bin', bytes)])), pieceBytes)
      expect(await start().inspect(draft)).toMatchObject({
        text: 'x',
        attachments: [{ name: 'a.bin', sizeBytes: bytes.length }],
        ambiguities: [],
      })
    },
  )

  it('takes nothing from the draft: it can be read again', async () => {
    const draft = small('hello')
    const first = await start().inspect(draft)
    expect(await inspector!.inspect(draft)).toEqual(first)
  })

  it('reads no more of a draft than the worker can take', async () => {
    let pieces = 0
    const endless: Draft = {
      header: Buffer.alloc(0),
      body: {
        async *read() {
          for (;;) {
            pieces++
            yield Buffer.alloc(64 * 1024)
          }
        },
      },
    }
    await expect(start({ worker: workerThat(''), deadlineMs: 300 }).inspect(endless)).rejects.toThrow(
      InspectionFailed,
    )
    expect(pieces).toBe(5)
  })
})

describe('a message that is not inspected in time', () => {
  it('fails alone: the next one gets a new worker', async () => {
    const worker = workerThat(`
      while (Buffer.from(message.bytes).includes('hang'));
      parentPort.postMessage({ kind: 'content', content: 'inspected' })`)
    const inspecting = start({ worker, deadlineMs: 300 })
    const failing = inspecting.inspect(small('hang'))
    const next = inspecting.inspect(small('next'))
    await expect(failing).rejects.toThrow('the message was not inspected within 300 ms')
    expect(await next).toBe('inspected')
  })

  it('fails though its draft hangs', async () => {
    const hanging: Draft = {
      header: Buffer.alloc(0),
      body: {
        async *read() {
          yield Buffer.from('x')
          await new Promise(() => undefined)
        },
      },
    }
    await expect(start({ deadlineMs: 1000 }).inspect(hanging)).rejects.toThrow(InspectionFailed)
    expect(await inspector!.inspect(small('next'))).toMatchObject({ text: 'next' })
  })

  it('has not been waiting: the time of others does not count', async () => {
    const worker = workerThat(
      `setTimeout(() => parentPort.postMessage({ kind: 'content', content: {} }), 60)`,
    )
    const inspecting = start({ worker, deadlineMs: 500 })
    await Promise.all(Array.from({ length: 10 }, () => inspecting.inspect(small('x'))))
  })
})

describe('a worker that fails', () => {
  it.each<[string, string, RegExp]>([
    ['throws', `throw new Error('a fault of ours')`, /a fault of ours/],
    ['ends', 'process.exit(0)', /ended/],
    [
      'says that it failed',
      `parentPort.postMessage({ kind: 'failed', reason: 'a fault of ours' })`,
      /a fault of ours/,
    ],
    ['takes all memory', 'const all = []; for (;;) all.push(new Array(10_000).fill(message))', /memory/],
  ])('and %s fails the message in hand, and the next one', async (_name, does, reason) => {
    const inspecting = start({ worker: workerThat(does) })
    for (let attempt = 0; attempt < 2; attempt++) {
      const inspected = inspecting.inspect(small('x'))
      await expect(inspected).rejects.toThrow(InspectionFailed)
      await expect(inspected).rejects.toThrow(reason)
    }
  })

  it('to start fails the message', async () => {
    const worker = new URL('file:///no/such/worker.js')
    await expect(start({ worker }).inspect(small('x'))).rejects.toThrow(InspectionFailed)
  })
})

describe('a draft that cannot be read', () => {
  const broken = (pieces: number): Draft => ({
    header: Buffer.alloc(0),
    body: {
      async *read() {
        for (let piece = 0; piece < pieces; piece++) yield Buffer.alloc(64 * 1024)
        throw new Error('the store is away')
      },
    },
  })

  it.each([0, 1, 10])(
    'after %i chunks is no failure of the inspection, and leaves nothing in the worker',
    async (pieces) => {
      const inspecting = start()
      await expect(inspecting.inspect(broken(pieces))).rejects.toThrow('the store is away')
      expect(await inspecting.inspect(small('next'))).toMatchObject({ text: 'next', ambiguities: [] })
    },
  )
})

describe('close', () => {
  it('fails what is being inspected and what waits, and all that comes', async () => {
    const inspecting = start({ worker: workerThat('') })
    const before = Promise.allSettled([inspecting.inspect(small('one')), inspecting.inspect(small('two'))])
    await inspecting.close()
    const behind = Promise.allSettled([inspecting.inspect(small('three'))])
    for (const outcome of [...(await before), ...(await behind)])
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: new InspectionFailed('the inspector is closed'),
      })
  })

  it('is nothing where there was no message', async () => {
    await start().close()
    await inspector!.close()
  })

  it('is not needed for the process to end', async () => {
    const program = `
      import { ContentInspector } from ${JSON.stringify(new URL('./inspector.js', builtWorker))}
      const draft = { header: Buffer.from('Subject: x\\r\\n\\r\\nhello'), body: { async *read() {} } }
      console.log((await new ContentInspector().inspect(draft)).text)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
      timeout: 10_000,
    })
    expect(stdout).toBe('hello\n')
  })
})
