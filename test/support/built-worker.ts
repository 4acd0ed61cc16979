/** The worker of the content inspector as it was built, beside the program that the tests run. */
import { pathToFileURL } from 'node:url'

export const builtProgram = process.env.RELAY_PROGRAM
  ? pathToFileURL(process.env.RELAY_PROGRAM)
  : new URL('../../dist/main.js', import.meta.url)

export const builtWorker = new URL('./message/content/inspector-worker.js', builtProgram)
