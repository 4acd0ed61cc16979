/** What would become of a message, asked over HTTP of a real setup that changes while the relay runs. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { explainEndpoints } from '../../../src/admin/explain/explain-endpoints.ts'
import { type ExplainInput, explanationView } from '../../../src/admin/explain/explanation-view.ts'
import { ContentInspector } from '../../../src/message/content/inspector.ts'
import { InForce } from '../../../src/setup/in-force.ts'
import { senderKind } from '../../../src/setup/sender-object.ts'
import { type AdminPort, startAdminPort } from '../../support/admin-port.ts'
import { builtWorker } from '../../support/built-worker.ts'
import { runSetup } from '../../support/running-setup.ts'

const yaml = `
hostname: relay.example.com
listeners: [{ name: exchange, port: 2525 }]
access: { networks: [10.0.0.0/8] }
connectors:
  - { id: 29, name: Provider, smartHosts: [192.0.2.29] }
  - { id: 30, name: Everything, addressSpaces: ["*"], smartHosts: [192.0.2.30], maxSendSize: 1MB }
policy:
  rules:
    - { name: Secrets, conditions: { subjectOrBodyContainsWords: [secret] }, actions: { reject: { text: No secrets } } }
`

let port: AdminPort
let inspector: ContentInspector

beforeEach(async () => {
  const running = await runSetup({ yaml })
  const { setup, clock } = running
  inspector = new ContentInspector({ worker: builtWorker })
  const inForce = new InForce(setup.current)
  setup.watch((current) => inForce.take(current))
  port = await startAdminPort({ running, endpoints: explainEndpoints({ setup, inForce, inspector, clock }) })
})
afterEach(async () => {
  await port.stop()
  await inspector.close()
})

const explain = (body: Partial<ExplainInput> & object) =>
  port.ask('/explain', {
    method: 'POST',
    body: { from: 'a@example.com', to: ['b@example.org'], ...body },
  })

async function explanation(body: Partial<ExplainInput> = {}) {
  const answer = await explain(body)
  expect(answer).toMatchObject({ code: 200 })
  return explanationView.parse(answer.json)
}

it('tells each step and the connector, and what the rules say', async () => {
  const { recipients, policy, access, sender, routed } = await explanation()
  expect(recipients).toMatchObject([
    {
      recipient: 'b@example.org',
      steps: [
        { step: 'binding', sender: 'a@example.com', binding: null },
        { step: 'addressSpaces', candidates: [{ connector: '30', outcome: 'chosen' }] },
      ],
      decision: { kind: 'connector', connector: '30', why: { rule: 'addressSpace' } },
    },
  ])
  expect(policy?.outcomes).toMatchObject([{ rule: 'Secrets', outcome: { kind: 'notMatched' } }])
  expect([routed, access, sender.identity]).toEqual([true, null, 'a@example.com'])
})

it('knows what was configured while the relay runs', async () => {
  const value = { connector: '29', createdAt: 1 }
  const bind = () => ({
    changes: [{ kind: senderKind, id: '@example.com', expected: null, value }],
    audit: [],
  })
  await port.setup.apply(bind, { by: 'test' })
  const { recipients } = await explanation({ from: 'A@Example.com' })
  expect(recipients).toMatchObject([{ decision: { connector: '29', why: { rule: 'senderDomain' } } }])
})

it.each<[string, Partial<ExplainInput>]>([
  ['as text, with any line ends', { message: 'Subject: x\n\nA secret.\n' }],
  ['in base64', { messageBase64: Buffer.from('Subject: x\r\n\r\nA secret.\r\n').toString('base64') }],
])('looks into a message that is given %s', async (_, message) => {
  const { recipients, routed } = await explanation(message)
  expect(recipients).toMatchObject([
    { steps: null, decision: { kind: 'refuse', reply: { text: 'No secrets' } } },
  ])
  expect(routed).toBe(false)
})

it('counts the size that is said, or that of the message', async () => {
  const tooLarge = { kind: 'refuse', reply: { enhanced: '5.3.4' } }
  const message = `Subject: x\r\n\r\n${'x\r\n'.repeat(400_000)}`
  for (const body of [{ size: '2MB' }, { size: 2_000_000 }, { message }])
    expect((await explanation(body)).recipients).toMatchObject([{ decision: tooLarge }])
})

it('says whether the client may submit, and reads the null reverse-path', async () => {
  for (const from of ['', '<>']) {
    const { access, sender } = await explanation({ from, ip: '192.0.2.9' })
    expect(access).toMatchObject({ ip: '192.0.2.9', senders: null, refusal: { enhanced: '5.7.1' } })
    expect(sender.identity).toBeNull()
  }
})

describe('a question', () => {
  it.each<[string, object, string, RegExp]>([
    ['no sender', { from: undefined }, 'from', /from is missing|mail address/],
    ['no address', { from: 'nobody' }, 'from', /or <> for the null reverse-path/],
    ['no recipient', { to: [] }, 'to', /must name a recipient/],
    ['a recipient that is none', { to: ['nobody'] }, 'to.0', /mail address/],
    ['too many recipients', { to: Array(101).fill('b@example.org') }, 'to', /100/],
    ['no size', { size: 'big' }, 'size', /such as 256KB/],
    ['no IP address', { ip: '10.0.0' }, 'ip', /IP address/],
    ['no header field', { header: ['no colon'] }, 'header.0', /header field such as/],
    [
      'a header beside a message',
      { header: ['Subject: x'], message: 'Subject: y\n\n' },
      'header',
      /message has its own/,
    ],
    ['two messages', { message: 'x', messageBase64: 'eA==' }, 'messageBase64', /must be left out/],
    ['no base64', { messageBase64: '%%' }, 'messageBase64', /must be base64/],
    ['an endless header', { message: `Subject: ${'x'.repeat(300_000)}` }, 'message', /more than 256KB/],
    ['an unknown field', { subject: 'x' }, 'subject', /no field subject/],
  ])('with %s is refused by name', async (_, body, field, detail) => {
    expect(await explain(body)).toMatchObject({
      code: 400,
      json: { field, detail: expect.stringMatching(detail) },
    })
  })

  it('may be as large as a large message, and no larger', async () => {
    expect(await explain({ message: `\n${'x'.repeat(11 * 1024 * 1024)}` })).toMatchObject({ code: 413 })
    expect(await explain({ message: `Subject: x\n\n${'x\n'.repeat(2 ** 20)}` })).toMatchObject({ code: 200 })
  })

  it('is for who may look', async () => {
    const asked = { method: 'POST', body: {} }
    expect(await port.ask('/explain', { ...asked, token: null })).toMatchObject({ code: 401 })
    const token = await port.tokenFor('read')
    expect(await port.ask('/explain', { ...asked, token })).toMatchObject({ code: 400 })
  })
})
