/**
 * OVHcloud's own client, unchanged, in a process of its own: what it trusts is read from NODE_EXTRA_CA_CERTS when a
 * process starts. A line in is a call, `[method, path, parameters]`; the line out is what it resolves or rejects with.
 */
import { createInterface } from 'node:readline'
import ovh from 'ovh'

const client = ovh(JSON.parse(process.env.OVH_CLIENT))
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await client.requestPromised(...JSON.parse(line)).then(
    (resolved) => ({ resolved }),
    (rejected) => ({ rejected }),
  )
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
