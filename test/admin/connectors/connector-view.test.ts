/** The list of connectors: what it costs where there are very many, and what it says without delivery's word. */
import { expect, it } from 'vitest'
import { connectorViews } from '../../../src/admin/connectors/connector-view.ts'
import { SetupReader } from '../../../src/setup/current.ts'
import { keyOf } from '../../../src/state/record.ts'
import { emptyState, updated } from '../../../src/state/snapshot.ts'
import type { StateObject } from '../../../src/state/state.ts'
import { box, loadedFrom, plainFile } from '../../support/running-setup.ts'
import { connectorStatus } from '../queue/queue-items.ts'

const reader = (yaml = plainFile) => new SetupReader({ file: loadedFrom(yaml), box })

/** Of a node that stands still. */
const rates = () => ({ incoming: 0, outgoing: 0 })

const stored = (kind: string, id: string, value: object): StateObject => ({
  ...{ kind, id, version: 1, changedAt: 2 },
  value: { createdAt: 1, ...value },
})

const connector = (n: number): StateObject =>
  stored('connector', String(n), {
    settings: { name: `Provider ${n}`, smartHosts: ['smtp.example.com'], addressSpaces: ['*.example.org'] },
    password: null,
    clientKey: null,
  })

it('of 1,000 connectors with 100,000 senders takes less than 50 ms', () => {
  const connectors = Array.from({ length: 1_000 }, (_, n) => connector(n + 100))
  const senders = Array.from({ length: 100_000 }, (_, n) =>
    stored('sender', `user${n}@example.com`, { connector: String(100 + (n % 1_000)) }),
  )
  const found = new Map([...connectors, ...senders].map((object) => [keyOf(object), object]))
  const current = reader().currentOf(updated(emptyState, { revision: 1, found }))
  const statuses = current.connectors.map(({ id }) => connectorStatus({ connector: id }))
  const totals = { connectors: new Map(), items: 0, bytes: 0, corrupt: 0 }
  const times = Array.from({ length: 5 }, () => {
    const begun = performance.now()
    const text = JSON.stringify({ connectors: connectorViews({ current, statuses, totals, rates }) })
    const tookMs = performance.now() - begun
    expect(text).toContain('"senders":100')
    return tookMs
  })
  // The best of a few: the machine has other things to do.
  expect(Math.min(...times)).toBeLessThan(50)
})

it('names the EHLO name as it is set, whoever set it', () => {
  const yaml = plainFile.replace(
    'smartHosts: [192.0.2.29]',
    'smartHosts: [192.0.2.29], fqdn: mail.example.com',
  )
  const own = connector(30)
  const current = reader(yaml).currentOf({ revision: 1, objects: [own], unreadable: [] })
  const views = connectorViews({ current, statuses: [], totals: null, rates })
  expect(views.map(({ settings }) => settings?.fqdn)).toEqual(['mail.example.com', null])
})

it('has one that the file has too once, as the file has it', () => {
  const current = reader().currentOf({ revision: 1, objects: [connector(29)], unreadable: [] })
  const views = connectorViews({ current, statuses: [], totals: null, rates })
  expect(views.map(({ connector, origin, state }) => [connector, origin, state])).toEqual([
    ['29', 'file', 'ready'],
  ])
})

it('names what cannot be read at all', () => {
  const current = reader().currentOf({ revision: 1, objects: [], unreadable: ['connector/odd'] })
  expect(connectorViews({ current, statuses: [], totals: null, rates })[1]).toMatchObject({
    connector: 'odd',
    name: null,
    state: 'unusable',
    lastError: 'It cannot be read',
    version: null,
  })
})
