/**
 * OpenDKIM from the distribution, asked about messages as a receiver would. It takes public keys from a file of ours
 * in the place of DNS.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DkimRecord } from '../../src/message/dkim-record.ts'

const run = promisify(execFile)

const program =
  (process.env.PATH ?? '')
    .split(':')
    .concat('/usr/sbin')
    .map((path) => join(path, 'opendkim'))
    .find((path) => existsSync(path)) ?? null

/** Where it is missing its tests are skipped, and fail in CI. */
export const skipsOpenDkim = program === null && !process.env.CI

/** Of each message its signatures, from the top, as `pass rsa-sha256 example.com`; none where it has none. */
export async function verifyWithOpenDkim(
  messages: readonly Buffer[],
  records: readonly Pick<DkimRecord, 'name' | 'value'>[],
): Promise<string[][]> {
  const directory = await mkdtemp(join(tmpdir(), 'relay-opendkim-'))
  const at = (name: string) => join(directory, name)
  try {
    await writeFile(at('dns'), records.map(({ name, value }) => `${name} ${value}\n`).join(''))
    await writeFile(at('conf'), `Mode v\nSyslog no\nTestDNSData file:${at('dns')}\n`)
    const files = messages.map((_, index) => at(`${index}.eml`))
    for (const [index, message] of messages.entries()) await writeFile(files[index]!, message)
    const { stdout } = await run(program!, ['-x', at('conf'), '-vv', '-t', files.join(',')])
    return files.map((file) => signaturesTold(stdout, file))
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** The Authentication-Results of a message (RFC 8601) stand before the line with the name of its file. */
function signaturesTold(output: string, file: string): string[] {
  const end = output.indexOf(`opendkim: ${file}: `)
  if (end === -1) throw new Error(`opendkim says nothing of ${file}:\n${output}`)
  const results = output
    .slice(0, end)
    .split(/^opendkim: /m)
    .at(-1)!
  return [...results.matchAll(/dkim=(\w+)[^;]*?header\.d=(\S+)[^;]*?header\.a=(\S+)/g)].map(
    ([, result, domain, algorithm]) => `${result} ${algorithm} ${domain}`,
  )
}
