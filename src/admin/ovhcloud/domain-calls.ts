/**
 * `/domain`: the default of senders that have no binding of their own. Every domain can be read; those that have a
 * default, or had one, are listed. What belongs to a mail platform is shown as one without anything special has it.
 */
import { z } from 'zod'
import { canonicalDomain } from '../../address.ts'
import type { CurrentSetup } from '../../setup/current.ts'
import { SetupRefused } from '../../setup/plan.ts'
import { planBind, planUnbind } from '../../setup/sender-plans.ts'
import type { TaskFunction, TaskWork } from '../../setup/task-plans.ts'
import { connectorIdOf } from './account-calls.ts'
import { connectorNumber, defaultOf, demandNoDestination } from './account-model.ts'
import { type Call, call } from './call.ts'
import { OvhcloudError } from './ovhcloud-error.ts'
import { numberOf } from './send-connector-model.ts'
import type { Service } from './service.ts'
import { pendingTask } from './task-model.ts'

const text = z.string().nullish()
const flag = z.boolean().nullish()
const type = z.enum(['authoritative', 'nonAuthoritative'])
const state = z.enum([
  'creating',
  'deleting',
  'internalMigration',
  'ok',
  'reopening',
  'suspended',
  'suspending',
])
/** Accepted as it was read, and ignored. */
const readOnly = z.unknown().optional()

const defaults = { sbrDefault: text, sendConnectorIdDefault: connectorNumber }

const newDomain = z.strictObject({
  ...defaults,
  autoEnableDKIM: flag,
  configureAutodiscover: flag,
  configureDKIM: flag,
  configureMx: flag,
  configureSPF: flag,
  main: flag,
  mxRelay: text,
  name: z.string(),
  organization2010: text,
  type,
})

const domainFilter = z.strictObject({ main: z.enum(['true', 'false']).optional(), state: state.optional() })

const names = { connector: 'sendConnectorIdDefault', sender: 'domainName' } as const

export function domainCalls({ setup, clock, changes }: Service): Call[] {
  const path = '/domain/:domainName'
  return [
    call({
      method: 'GET',
      path: '/domain',
      query: domainFilter,
      handle: async ({ query }) => domainsIn(setup.current, query),
    }),
    call({
      method: 'POST',
      path: '/domain',
      body: newDomain,
      async handle({ body, by }) {
        demandNoDestination('sbrDefault', body.sbrDefault)
        const domain = nameOf(body)
        const sender = `@${domain}`
        const connector = connectorIdOf(body.sendConnectorIdDefault ?? 0)
        return changes.task(
          (current, planning) => {
            if (current.senders.has(sender))
              throw new SetupRefused('conflict', `The domain ${domain} is there already`, 'name')
            return planBind(current, planning, { sender, connector })
          },
          { by, names, work: () => working('addDomain', domain) },
        )
      },
    }),
    call({
      method: 'GET',
      path,
      handle: async ({ path: { domainName } }) =>
        domainModel(setup.current, domainName, { now: clock.now() }),
    }),
    call({
      method: 'PUT',
      path,
      body: changedDomain,
      // Nothing that could be changed here is of a relay.
      handle: async () => null,
    }),
    call({
      method: 'DELETE',
      path,
      handle: ({ path: { domainName }, by }) =>
        changes.task((current) => planUnbind(current, { sender: `@${domainName}` }), {
          by,
          names,
          work: () => working('deleteDomain', domainName),
        }),
    }),
    call({
      method: 'PUT',
      path: `${path}/changeDefaultSBR`,
      body: z.strictObject(defaults),
      async handle({ path: { domainName }, body, by }) {
        demandNoDestination('sbrDefault', body.sbrDefault)
        if (body.sendConnectorIdDefault == null) return null
        const binding = { sender: `@${domainName}`, connector: connectorIdOf(body.sendConnectorIdDefault) }
        return changes.silently(
          (current, planning) =>
            binding.connector === null && defaultOf(current, domainName) === null
              ? { changes: [], audit: [] }
              : planBind(current, planning, binding),
          { by, names, work: working('setDomain', domainName) },
        )
      },
    }),
  ]
}

const aboutDomain = (domain: string): string => `domain ${domain}`

const working = (what: TaskFunction, domain: string): TaskWork => ({
  function: what,
  about: aboutDomain(domain),
})

function nameOf({ name }: { name: string }): string {
  const domain = canonicalDomain(name)
  if (domain !== null) return domain
  throw new OvhcloudError(400, 'name must be a domain name such as example.com', { field: 'name' })
}

function domainsIn({ senders }: CurrentSetup, { main, state }: z.output<typeof domainFilter>): string[] {
  if (main === 'true' || (state !== undefined && state !== platform.state)) return []
  return [...senders.keys()].filter((sender) => sender.startsWith('@')).map((sender) => sender.slice(1))
}

function domainModel(current: CurrentSetup, domain: string, { now }: { now: number }): object {
  const task = pendingTask(current.snapshot, { about: aboutDomain(domain), now })
  const connector = defaultOf(current, domain)
  return {
    ...platform,
    name: domain,
    sendConnectorIdDefault: connector === null ? 0 : numberOf(connector),
    state: task?.function === 'addDomain' ? 'creating' : platform.state,
    taskPendingId: task?.id ?? 0,
  }
}

const platform = {
  cnameToCheck: null,
  dkimDiagnostics: { errorCode: null, message: null, state: 'disabled' },
  domainAliases: [],
  domainValidated: true,
  expectedAutodiscoverSRV: '',
  expectedMX: [],
  expectedSPF: '',
  isAliasDomain: false,
  main: false,
  mxIsValid: true,
  mxRecord: null,
  mxRelay: null,
  organization2010: null,
  sbrDefault: null,
  spfIsValid: true,
  spfRecord: null,
  srvIsValid: true,
  srvRecord: null,
  state: 'ok',
  type: 'authoritative',
} as const

const changedDomain = z.strictObject({
  mxRelay: text,
  type: type.nullish(),
  name: readOnly,
  sendConnectorIdDefault: readOnly,
  taskPendingId: readOnly,
  ...Object.fromEntries(
    Object.keys(platform)
      .filter((field) => field !== 'mxRelay' && field !== 'type')
      .map((field) => [field, readOnly]),
  ),
})
