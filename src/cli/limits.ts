/**
 * `relay limits`: what is used of each limit of `policy.limits`, by whom, and of the connectors' rate limits, on all
 * relays of the queue together.
 */
import type { Command } from 'commander'
import type { LimitView } from '../admin/queue/limit-view.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { type Column, formatTable } from './table.ts'

interface Options {
  readonly json?: boolean
}

export function registerLimits(program: Command): void {
  addAdminOption(program.command('limits'))
    .description('list what is used of each limit, the fullest first')
    .option('--json', 'one object per count, one per line')
    .action((options: Options, command: Command) =>
      withRelay(command, async (relay) => {
        const { writeOut, getOutHelpWidth } = command.configureOutput()
        const limits = await relay.limits()
        if (options.json) for (const view of limits) writeOut!(`${JSON.stringify(view)}\n`)
        else writeOut!(formatTable(columns, limits, { width: getOutHelpWidth?.() }))
      }),
    )
}

const columns: readonly Column<LimitView>[] = [
  { title: 'kind', value: ({ kind }) => kind },
  { title: 'limit', value: ({ limit }) => limit },
  { title: 'of', value: ({ of }) => of },
  { title: 'counts', value: ({ counts }) => counts },
  { title: 'used', value: ({ used }) => used },
  { title: 'most', value: ({ most }) => most ?? '-' },
  { title: 'left', value: ({ left }) => left ?? '-' },
]
