import { expect, it } from 'vitest'
import { connectorName, connectorNameAndId } from '../../src/page/queues/connector-name.ts'

const known = {
  connectors: [
    { connector: '29', name: 'Newsletter' },
    { connector: '30', name: null },
  ],
  words: { unreachable: 'Unreachable' },
}

it.each([
  ['29', 'Newsletter', 'Newsletter (29)'],
  ['30', '30', '30'],
  ['31', '31', '31'],
  ['unreachable', 'Unreachable', 'Unreachable'],
])('the queue %s is called %s, beside its id %s', (id, name, both) => {
  expect(connectorName(id, known)).toBe(name)
  expect(connectorNameAndId(id, known)).toBe(both)
})
