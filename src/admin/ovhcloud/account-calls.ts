/** `/account`: which connector an address leaves by. */
import { domainOf, parseAddress } from '../../address.ts'
import { senderKey } from '../../route/sender.ts'
import { SetupRefused } from '../../setup/plan.ts'
import { planBind, planUnbind } from '../../setup/sender-plans.ts'
import type { TaskFunction, TaskWork } from '../../setup/task-plans.ts'
import {
  aboutAccount,
  accountFilter,
  accountModel,
  accountsIn,
  changedAccount,
  defaultOf,
  demandNoDestination,
  newAccount,
} from './account-model.ts'
import { type Call, call } from './call.ts'
import { OvhcloudError } from './ovhcloud-error.ts'
import type { Service } from './service.ts'

const names = { connector: 'sendConnectorId', sender: 'primaryEmailAddress' } as const

export function accountCalls({ setup, clock, changes }: Service): Call[] {
  const path = '/account/:primaryEmailAddress'
  return [
    call({
      method: 'GET',
      path: '/account',
      query: accountFilter,
      handle: async ({ query }) => accountsIn(setup.current, query),
    }),
    call({
      method: 'POST',
      path: '/account',
      body: newAccount,
      async handle({ body, by }) {
        demandNoDestination('sbrDestination', body.sbrDestination)
        const sender = addressOf(body)
        return changes.task(
          (current, planning) => {
            if (current.senders.has(sender))
              throw new SetupRefused('conflict', `The account ${sender} is there already`, 'login')
            // As it is now: an account keeps its connector when the default of its domain changes.
            const connector =
              body.sendConnectorId == null
                ? defaultOf(current, domainOf(sender))
                : connectorIdOf(body.sendConnectorId)
            return planBind(current, planning, { sender, connector })
          },
          { by, names, work: () => working('addAccount', sender) },
        )
      },
    }),
    call({
      method: 'GET',
      path,
      handle: async ({ path: { primaryEmailAddress } }) =>
        accountModel(setup.current, primaryEmailAddress, { now: clock.now() }),
    }),
    call({
      method: 'PUT',
      path,
      body: changedAccount,
      async handle({ path: { primaryEmailAddress: sender }, body, by }) {
        demandNoDestination('sbrDestination', body.sbrDestination)
        if (body.sendConnectorId == null) return null
        const connector = connectorIdOf(body.sendConnectorId)
        return changes.silently((current, planning) => planBind(current, planning, { sender, connector }), {
          by,
          names,
          work: working('setAccount', sender),
        })
      },
    }),
    call({
      method: 'DELETE',
      path,
      handle: ({ path: { primaryEmailAddress: sender }, by }) =>
        changes.task((current) => planUnbind(current, { sender }), {
          by,
          names,
          work: () => working('deleteAccount', sender),
        }),
    }),
  ]
}

/** 0 is not an id, it means "no connector". */
export const connectorIdOf = (number: number): string | null => (number === 0 ? null : String(number))

const working = (what: TaskFunction, sender: string): TaskWork => ({
  function: what,
  about: aboutAccount(sender),
})

function addressOf({ login, domain }: { login: string; domain: string }): string {
  const parsed = parseAddress(`${login}@${domain}`)
  if (!('error' in parsed)) return senderKey(parsed.address)
  throw new OvhcloudError(400, 'login and domain must be a mail address together', { field: 'login' })
}
