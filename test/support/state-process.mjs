/**
 * The embedded state in a process of its own, to be killed or starved: `node state-process.mjs DIR change|fill`.
 * It speaks in lines on standard output, and is written in JavaScript because it runs the built program.
 */
import { pathToFileURL } from 'node:url'

const program = process.env.RELAY_PROGRAM
  ? pathToFileURL(process.env.RELAY_PROGRAM)
  : new URL('../../dist/main.js', import.meta.url)
const { openEmbeddedState } = await import(new URL('./state/embedded-state.js', program))

const [dir, mode] = process.argv.slice(2)
const now = Date.now()
const say = (...words) => process.stdout.write(`${words.join(' ')}\n`)
const quiet = () => undefined
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet, fatal: quiet }
const created = (id, value) => ({ kind: 'connector', id, expected: null, value })

/** Makes pairs for ever, eight at a time, and says each that was confirmed. */
async function change(state) {
  let pairs = 0
  const loop = async () => {
    for (;;) {
      const name = `${process.pid}.${pairs++}`
      const value = { name, text: 'x'.repeat((pairs * 7919) % 5000) }
      const revision = await state.change([created(`${name}-a`, value), created(`${name}-b`, value)], { now })
      say(name, revision)
    }
  }
  await Promise.all(Array.from({ length: 8 }, loop))
}

/** Changes until the file may not grow any more, then says how it was refused and what is there. */
async function fill(state) {
  const name = (error) => error.name
  let made = 0
  let refusal = null
  for (; refusal === null && made < 1000; made += refusal === null ? 1 : 0)
    refusal = await state.change([created(`${made}`, 'x'.repeat(50_000))], { now }).then(() => null, name)
  const { objects } = await state.read()
  say(JSON.stringify({ made, refusal, objects: objects.length }))
  await state.close()
  const { objects: after } = await (await openEmbeddedState({ dir, log })).read()
  say(JSON.stringify({ objects: after.length }))
  process.exit()
}

await { change, fill }[mode](await openEmbeddedState({ dir, log }))
