/** `relay rekey`: after `state.key` has changed, seals what the former keys sealed. */
import type { Command } from 'commander'
import { rekeyView } from '../admin/access/token-view.ts'
import { addAdminOption, withRelay } from './running-relay.ts'

export function registerRekey(program: Command): void {
  addAdminOption(program.command('rekey'))
    .description('seal every secret of the state anew with state.key; then state.formerKeys can go')
    .option('--json', 'as one object')
    .action((options: { json?: boolean }, command: Command) =>
      withRelay(command, async (relay) => {
        const question = { method: 'POST', body: {}, answer: rekeyView, timeoutMs: 120_000 } as const
        const { resealed } = await relay.ask('/state/rekey', question)
        const what = resealed === 1 ? '1 object was' : `${resealed} objects were`
        const text = options.json ? JSON.stringify({ resealed }) : `${what} sealed anew.`
        command.configureOutput().writeOut!(`${text}\n`)
      }),
    )
}
