/** `relay token new | list | remove`: the tokens of the API. What a token is, is printed once, when it is made. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type NewTokenView, newTokenView, type TokenView, tokenListView } from '../admin/access/token-view.ts'
import { parseDuration } from '../config/units.ts'
import { type Scope, scopes } from '../setup/token.ts'
import { type AdminClient, AdminError } from './admin-client.ts'
import { formatInstant } from './for-people.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { type Column, formatTable } from './table.ts'

export function registerToken(program: Command): void {
  const token = program.command('token').description('the tokens by which programs and people use the API')
  addAdminOption(token.command('new'))
    .description('make a token, and print it: it cannot be shown again')
    .argument('<name>', 'as the audit names whoever uses it')
    .addOption(
      new Option('--scope <scope>', 'read: look; operate: act on the queue too; admin: change everything')
        .choices(scopes)
        .makeOptionMandatory(),
    )
    .option(
      '--expires <when>',
      'after so long, such as 90d, or then: 2027-01-31 (default: never)',
      parseExpiry,
    )
    .option(
      '--ovhcloud',
      "with an application secret, for OVHcloud's clients: prints what they read from their environment",
    )
    .option('--json', 'as one object')
    .action((name: string, options: NewOptions, command: Command) =>
      withRelay(command, (relay) => makeToken(relay, { ...options, name }, command)),
    )
  addAdminOption(token.command('list'))
    .description('list the tokens, without what they are')
    .option('--json', 'one object per token, one per line')
    .action((options: { json?: boolean }, command: Command) =>
      withRelay(command, (relay) => list(relay, options, command)),
    )
  addAdminOption(token.command('remove'))
    .description('remove a token: whoever has it is not let in any more')
    .argument('<token>', 'its id or its name')
    .action((wanted: string, _options: object, command: Command) =>
      withRelay(command, (relay) => remove(relay, wanted, command)),
    )
}

interface NewOptions {
  readonly scope: Scope
  readonly expires?: number
  readonly ovhcloud?: boolean
  readonly json?: boolean
}

async function makeToken(
  relay: AdminClient,
  { name, scope, expires, ovhcloud = false, json }: NewOptions & { readonly name: string },
  command: Command,
): Promise<void> {
  const { writeOut, writeErr } = command.configureOutput()
  const body = { name, scopes: [scope], expiresAt: expires ?? null, ovhcloud }
  const made = await relay.ask('/tokens', { method: 'POST', body, answer: newTokenView })
  if (json) return writeOut!(`${JSON.stringify(made)}\n`)
  // Alone, so that it can go into a file.
  writeOut!(made.ovhcloud === undefined ? `${made.token}\n` : environmentOf(made.ovhcloud))
  const until = made.expiresAt === null ? 'until it is removed' : `until ${formatInstant(made.expiresAt)}`
  writeErr!(`The token ${name} (${made.id}) may ${scope} ${until}. It is not shown again: keep it now.\n`)
}

/** The names that go-ovh, python-ovh and Terraform's provider know. */
function environmentOf(given: NonNullable<NewTokenView['ovhcloud']>): string {
  return [
    `OVH_APPLICATION_KEY=${given.applicationKey}`,
    `OVH_APPLICATION_SECRET=${given.applicationSecret}`,
    `OVH_CONSUMER_KEY=${given.consumerKey}`,
    '',
  ].join('\n')
}

async function list(relay: AdminClient, { json }: { json?: boolean }, command: Command): Promise<void> {
  const { writeOut, getOutHelpWidth } = command.configureOutput()
  const { tokens } = await relay.ask('/tokens', { answer: tokenListView })
  if (json) for (const view of tokens) writeOut!(`${JSON.stringify(view)}\n`)
  else if (tokens.length === 0) writeOut!('There is no token but that of the machine (admin-token).\n')
  else writeOut!(formatTable(columns, tokens, { width: getOutHelpWidth?.() }))
}

const columns: Column<TokenView>[] = [
  { title: 'id', value: ({ id }) => id },
  { title: 'name', value: ({ name }) => name },
  { title: 'scope', value: ({ scopes }) => scopes.join(', ') },
  { title: 'created', value: ({ createdAt }) => formatInstant(createdAt) ?? '-' },
  { title: 'expires', value: ({ expiresAt }) => formatInstant(expiresAt) ?? 'never' },
  { title: 'last used', value: ({ lastUsedAt }) => formatInstant(lastUsedAt) ?? 'never' },
]

async function remove(relay: AdminClient, wanted: string, command: Command): Promise<void> {
  const { tokens } = await relay.ask('/tokens', { answer: tokenListView })
  const token = tokens.find(({ id }) => id === wanted) ?? tokens.find(({ name }) => name === wanted)
  if (token === undefined) throw new AdminError(`The running relay has no token ${wanted}`)
  await relay.ask(`/tokens/${token.id}`, { method: 'DELETE', answer: null })
  command.configureOutput().writeErr!(`The token ${token.name} (${token.id}) is removed.\n`)
}

/** An instant; a day ends at its end, here where it is written. */
function parseExpiry(text: string): number {
  const lifeMs = parseDuration(text)
  if (lifeMs !== null && lifeMs > 0) return Date.now() + lifeMs
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? endOf(text) : Date.parse(text)
  if (lifeMs === null && /^\d{4}-/.test(text) && !Number.isNaN(at)) return at
  throw new InvalidArgumentError('It must be a duration such as 90d, or a day such as 2027-01-31.')
}

const endOf = (day: string): number => Date.parse(`${day}T23:59:59.999`)
