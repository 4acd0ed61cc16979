/** A real clamd between the relay's clients and their mail. Where it is missing the tests are skipped, and fail in CI. */
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clamdAvailable, eicar, startClamd } from '../support/clamd.ts'
import { closeAfterwards } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { logged, messageTo, startPolicyRelay, withoutTrace } from '../support/policy-relay.ts'
import { letter, offer, submit } from '../support/submit.ts'

/** A socket that stays where it is while its clamd comes and goes. */
class Clamd {
  readonly #directory: string
  #stop: (() => Promise<void>) | null = null

  static async start(): Promise<Clamd> {
    const clamd = new Clamd(await mkdtemp(join(tmpdir(), 'clamd-test-')))
    closeAfterwards(async () => {
      await clamd.stop()
      await rm(clamd.#directory, { recursive: true })
    })
    await clamd.start()
    return clamd
  }

  private constructor(directory: string) {
    this.#directory = directory
  }

  get address(): string {
    return `unix:${join(this.#directory, 'socket')}`
  }

  async start(): Promise<void> {
    const { address, daemon } = await startClamd()
    const socket = join(this.#directory, 'socket')
    await rm(socket, { force: true })
    await symlink(address.slice('unix:'.length), socket)
    this.#stop = () => daemon.destroy()
  }

  async stop(): Promise<void> {
    await this.#stop?.()
    this.#stop = null
  }
}

const large = letter('A large one', 'A line that is no virus at all.\r\n'.repeat(33_000))
const infected = `${large}${eicar}\r\n`

describe.skipIf(!clamdAvailable)('clamd', { timeout: 90_000 }, () => {
  it('keeps what is infected from leaving, however large it is, and lets the rest pass as it came', async () => {
    const clamd = await Clamd.start()
    const { relay, host } = await startPolicyRelay({
      checkers: [{ name: 'virus', kind: 'clamd', address: clamd.address }],
    })
    for (const content of [letter('Bad', `${eicar}\r\n`), infected]) {
      const { reply } = await offer(relay, { to: ['anna@example.org'], content })
      expect(reply).toBe('554 5.7.1 The message contains Eicar-Test.UNOFFICIAL')
    }
    const accepted = [
      await submit(relay, { to: ['bert@example.org'] }),
      // Too large to be held in memory: it was written to the store before it was scanned.
      await submit(relay, { to: ['carl@example.org'], content: large }),
    ]
    await host.received(2)
    expect(withoutTrace(messageTo(host, 'carl@example.org'))).toBe(large)
    const checked = await logged(relay, 'checked', 4)
    expect(checked.map(({ checker, verdict, note }) => [checker, verdict, note])).toEqual([
      ['virus', 'reject', 'found Eicar-Test.UNOFFICIAL'],
      ['virus', 'reject', 'found Eicar-Test.UNOFFICIAL'],
      ['virus', 'pass', null],
      ['virus', 'pass', null],
    ])
    expect(await relay.metrics()).toMatch(/^relay_policy_checks_total\{[^}]*verdict="reject"[^}]*\} 2$/m)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 2 }))
  })

  it.each([
    ['hold', { state: 'suspended', holdReason: 'virus found Eicar-Test.UNOFFICIAL' }, { queued: 1 }],
    ['drop', null, { removed: 1 }],
  ])('may %s what is infected', async (answer, item, sums) => {
    const clamd = await Clamd.start()
    const { relay, host } = await startPolicyRelay({
      checkers: [{ name: 'virus', kind: 'clamd', address: clamd.address, infected: answer }],
    })
    const accepted = [await submit(relay, { to: ['anna@example.org'], content: infected })]
    await logged(relay, 'checked')
    expect(await relay.queue()).toMatchObject(item === null ? [] : [item])
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced(sums))
    expect(host.counts.messages).toBe(0)
  })

  it('that is stopped defers all mail, and lets it pass when it is back', async () => {
    const clamd = await Clamd.start()
    const { relay, host } = await startPolicyRelay({
      checkers: [{ name: 'virus', kind: 'clamd', address: clamd.address, timeout: '2s' }],
    })
    const mail = { to: ['anna@example.org'], content: large }
    await clamd.stop()
    expect((await offer(relay, mail)).reply).toBe(
      '451 4.7.0 A content check is not available, please try again later',
    )
    expect(await relay.queue()).toEqual([])
    const [checked] = await logged(relay, 'checked')
    expect(checked).toMatchObject({ verdict: 'defer', away: expect.stringMatching(/ECONNREFUSED|ENOENT/) })
    await clamd.start()
    const accepted = [await submit(relay, mail)]
    await host.received(1)
    expect(withoutTrace(messageTo(host, 'anna@example.org'))).toBe(large)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
  })
})
