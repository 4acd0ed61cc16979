/** Limits of what is submitted, as clients meet them: over restarts, over several relays, with each of their answers. */
import { describe, expect, it } from 'vitest'
import { closeAfterwards, startHost, startRelay } from '../support/end-to-end.ts'
import { type AcceptedMail, balanced, balanceOf } from '../support/mail-ledger.ts'
import { logged, startPolicyRelay } from '../support/policy-relay.ts'
import { redisAvailable, startRedis } from '../support/redis.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { queueOn, stores } from '../support/stores.ts'
import { letter, load, offer } from '../support/submit.ts'

const limit = (change: Record<string, unknown>) => ({ name: 'newsletter', per: 'sender', ...change })

/** Submits until something else than 250 is said: what was accepted, and what was said then. */
async function until(
  relay: Pick<RelayProcess, 'port'>,
  { run, most = 20, from = 'sender@example.com' }: { run: string; most?: number; from?: string },
): Promise<{ accepted: AcceptedMail[]; reply: string }> {
  const accepted: AcceptedMail[] = []
  for (let n = 0; n < most; n++) {
    const mail = await offer(relay, { from, to: [`${run}-${n}@example.org`] })
    if (!mail.reply.startsWith('250')) return { accepted, reply: mail.reply }
    accepted.push(mail)
  }
  return { accepted, reply: 'all accepted' }
}

describe.each(stores)('on the %s store', (store) => {
  it.each<[string, string, RegExp]>([
    [
      'defer',
      'SIGTERM',
      /^451 4\.7\.28 The limit newsletter is reached: sender sender@example\.com may submit 3 messages per day; there is room again at 20\S+Z$/,
    ],
    [
      'reject',
      'SIGKILL',
      /^550 5\.7\.28 The limit newsletter is reached: sender sender@example\.com may submit 3 messages per day$/,
    ],
  ])('a limit that is to %s what is over it outlasts %s', async (over, signal, expected) => {
    const { relay, host } = await startPolicyRelay(
      { limits: [limit({ messagesPerDay: 3, over })] },
      { store },
    )
    const { accepted, reply } = await until(relay, { run: 'first' })
    expect(accepted).toHaveLength(3)
    expect(reply).toMatch(expected)
    const limited = { limit: 'newsletter', of: 'sender@example.com', over }
    expect(await logged(relay, 'limited')).toMatchObject([limited])
    await host.received(3)
    await logged(relay, 'delivered', 3)

    await (signal === 'SIGTERM' ? relay.stop() : relay.kill9())
    await relay.restart()
    expect(await until(relay, { run: 'second' })).toEqual({
      accepted: [],
      reply: expect.stringMatching(expected),
    })
    // Whom it does not concern goes on.
    const others = await until(relay, { run: 'third', from: 'other@example.com', most: 3 })
    expect(others.reply).toBe('all accepted')
    expect(await relay.metrics()).toContain(`relay_policy_limited_total{limit="newsletter",over="${over}"} 1`)
    await host.received(6)
    expect(
      await balanceOf({ accepted: [...accepted, ...others.accepted], hosts: [host], relays: [relay] }),
    ).toEqual(balanced({ delivered: 6 }))
  })

  it('a limit that is to hold what is over it keeps it for an operator', async () => {
    const { relay, host } = await startPolicyRelay(
      { limits: [limit({ messagesPerHour: 2, over: 'hold' })] },
      { store },
    )
    const { accepted, reply } = await until(relay, { run: 'held', most: 4 })
    expect(reply).toBe('all accepted')
    await host.received(2)
    await logged(relay, 'delivered', 2)
    const held = {
      state: 'suspended',
      holdReason: expect.stringMatching(/^\S+ \S+ The limit newsletter is reached/),
    }
    expect(await relay.queue()).toMatchObject([held, held])
    expect(await logged(relay, 'suspended', 2)).toHaveLength(2)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 2, queued: 2 }),
    )
  })

  it('counts what many sessions submit at a time as if one did', async () => {
    const { relay, host } = await startPolicyRelay(
      { limits: [limit({ recipientsPerDay: 30, over: 'reject' })] },
      { store },
    )
    const run = await load(relay, { run: 'many', messages: 40, sessions: 8, recipientsPerMessage: 2 })
    expect({ accepted: run.accepted, refused: run.refused }).toEqual({ accepted: 15, refused: 25 })
    await host.received(15)
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 30 }),
    )
  })
})

it('a limit of size is told at RCPT where the client announces it, and else at the end of DATA', async () => {
  const { relay, host } = await startPolicyRelay({ limits: [limit({ maxMessageSize: '20KB' })] })
  const refused =
    /^552 5\.3\.4 Message too large, the limit newsletter of sender sender@example\.com is 20480 bytes$/
  const announced = await offer(relay, { to: ['anna@example.org'], parameters: 'SIZE=20481' })
  expect(announced).toMatchObject({ to: [], reply: expect.stringMatching(refused) })
  const content = letter('Large', 'A line of the message\r\n'.repeat(1000))
  const silent = await offer(relay, { to: ['bert@example.org'], content })
  expect(silent).toMatchObject({ to: ['bert@example.org'], reply: expect.stringMatching(refused) })
  expect(await balanceOf({ accepted: [], hosts: [host], relays: [relay] })).toEqual(balanced({}))
})

describe.skipIf(!redisAvailable)('two relays on one Redis', () => {
  it('count together, and go on where they were when both have been away', async () => {
    const redis = await startRedis()
    closeAfterwards(() => redis.destroy())
    const host = await startHost()
    const config = {
      queue: queueOn(redis),
      connectors: [connectorTo(host.port)],
      policy: { limits: [limit({ messagesPerDay: 50, over: 'reject' })] },
    }
    const relays = [await startRelay(config), await startRelay(config)] as const
    const runs = await Promise.all(
      relays.map((relay, n) => load(relay, { run: `node-${n}`, messages: 40, seed: n + 1 })),
    )
    expect(runs.map(({ accepted }) => accepted).reduce((a, b) => a + b)).toBe(50)
    await host.received(50)
    for (const relay of relays) await relay.stop()
    for (const relay of relays) await relay.restart()
    for (const relay of relays)
      expect((await offer(relay, { to: ['late@example.org'] })).reply).toMatch(/^550 5\.7\.28 /)
    expect(await balanceOf({ runs, hosts: [host], relays })).toEqual(balanced({ delivered: 50 }))
  })
})
