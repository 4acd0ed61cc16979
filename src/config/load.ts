/**
 * Reads the configuration the relay runs on: the file, the environment, and the secrets and certificates they
 * refer to. It is usable as a whole or not at all: every error of every kind comes at once.
 */
import { readFile } from 'node:fs/promises'
import { type DkimKey, dkimAlgorithm } from '../message/dkim.ts'
import { isPasswordHash } from '../smtp/password.ts'
import type { SecretKey } from '../state/secrets.ts'
import type { CheckerSettings } from './checker.ts'
import type { Connector } from './connector.ts'
import { ed25519AloneFindings } from './dkim-checks.ts'
import type { ConfigDraft, Draft } from './draft.ts'
import { type ParsedConfig, parseConfig, type RejectedConfig } from './parse.ts'
import type { CheckerConfig } from './policy-schema.ts'
import { error, type Finding, type Problem, problemsOf } from './problem.ts'
import { parseRedisUrl, redisUrlError } from './redis-url.ts'
import type { Config, ConnectorConfig } from './schema.ts'
import { decodeUtf8, type Environment, reasonOf, SecretReader } from './secret-reader.ts'

export interface LoadedConfig {
  readonly file: string
  /** With REDIS_URL applied, if it is set; its user and password stand in `redis` alone. */
  readonly config: Config
  readonly connectors: readonly Connector[]
  readonly checkers: readonly CheckerSettings[]
  readonly redis: Omit<Config['queue']['redis'], 'password'> & { readonly password: string | null }
  /** In the order of `policy.dkim`. */
  readonly dkimKeys: readonly DkimKey[]
  /** Of the runtime state; `current` is null where none is configured. */
  readonly stateKeys: { readonly current: SecretKey | null; readonly former: readonly SecretKey[] }
  readonly warnings: readonly Problem[]
}

export interface RefusedConfig {
  readonly file: string
  readonly errors: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/** The file that `--config` names, else RELAY_CONFIG, else the one a checkout has. Relative to the working directory. */
export function configFile(option: string | undefined, env: Environment): string {
  return option || env.RELAY_CONFIG || 'config/relay.yaml'
}

export async function loadConfig(
  file: string,
  { env }: { env: Environment },
): Promise<LoadedConfig | RefusedConfig> {
  const parsed = await readConfig(file)
  const reader = new SecretReader(env)
  const draft = 'config' in parsed ? parsed.config : parsed.draft
  const secrets = draft === null ? null : await readSecrets(draft, { reader, env })
  const read = problemsOf(
    [...passwordHashFindings(draft), ...reader.findings, ...ed25519AloneFindings(secrets?.dkimKeys ?? [])],
    parsed.lineOf,
  )
  const errors = [...environmentErrors(env), ...('errors' in parsed ? parsed.errors : []), ...read.errors]
  const warnings = [...parsed.warnings, ...read.warnings]
  if (!('config' in parsed) || secrets === null || errors.length > 0) return { file, errors, warnings }
  const config = withEnvironment(parsed.config, env)
  return {
    file,
    config,
    connectors: config.connectors.map((connector, index) => ({
      ...connector,
      ...secrets.connectors[index]!,
      fqdn: connector.fqdn ?? config.hostname,
    })),
    checkers: config.policy.checkers.map((checker, index) =>
      withSecret(checker, secrets.checkers[index] ?? null),
    ),
    redis: redisSettings(config, { secret: secrets.redis, env }),
    dkimKeys: secrets.dkimKeys.filter((key) => key !== null),
    stateKeys: {
      current: secrets.stateKeys.current,
      former: secrets.stateKeys.former.filter((key) => key !== null),
    },
    warnings,
  }
}

/** The file alone: no environment, no secrets. Enough to ask where mail would go. */
export async function readConfig(file: string): Promise<ParsedConfig | RejectedConfig> {
  let text: string
  try {
    text = decodeUtf8(await readFile(file))
  } catch (cause) {
    const message = `the configuration cannot be read: ${reasonOf(cause)}`
    return { errors: [{ path: '', message, line: null }], warnings: [], draft: null, lineOf: () => null }
  }
  return parseConfig(text)
}

type ConnectorSecrets = Pick<Connector, 'password' | 'ca' | 'clientCertificate'>

interface Secrets {
  readonly connectors: readonly ConnectorSecrets[]
  /** By place in `policy.checkers`; null where the checker has none. */
  readonly checkers: readonly (string | null)[]
  readonly redis: string | null
  /** By place in `policy.dkim`; null where the key could not be read. */
  readonly dkimKeys: readonly (DkimKey | null)[]
  /** Null where there is none, or it could not be read. */
  readonly stateKeys: { readonly current: SecretKey | null; readonly former: readonly (SecretKey | null)[] }
}

async function readSecrets(
  draft: ConfigDraft,
  { reader, env }: { reader: SecretReader; env: Environment },
): Promise<Secrets> {
  // Listeners read their certificates themselves, again and again; here they are only tried.
  for (const [index, listener] of (draft.listeners ?? []).entries())
    await reader.keyPair(listener?.certificate, ['listeners', index, 'certificate'])
  await reader.keyPair(draft.admin?.certificate, ['admin', 'certificate'])
  const connectors: ConnectorSecrets[] = []
  for (const [index, connector] of (draft.connectors ?? []).entries())
    connectors.push(await connectorSecrets(connector ?? {}, { reader, index }))
  const checkers: (string | null)[] = []
  for (const [index, checker] of (draft.policy?.checkers ?? []).entries())
    checkers.push(await checkerSecret(checker ?? {}, { reader, index }))
  const usesRedis = draft.queue?.store === 'redis' || Boolean(env.REDIS_URL)
  const password = usesRedis ? draft.queue?.redis?.password : null
  return {
    connectors,
    checkers,
    redis: await reader.secret(password, ['queue', 'redis', 'password']),
    dkimKeys: await readDkimKeys(draft, reader),
    stateKeys: await readStateKeys(draft, reader),
  }
}

async function readStateKeys(draft: ConfigDraft, reader: SecretReader): Promise<Secrets['stateKeys']> {
  const { key, formerKeys = [] } = draft.state ?? {}
  const former: (SecretKey | null)[] = []
  for (const [index, reference] of formerKeys.entries())
    former.push(await reader.stateKey(reference, ['state', 'formerKeys', index]))
  return { current: await reader.stateKey(key, ['state', 'key']), former }
}

async function readDkimKeys(draft: ConfigDraft, reader: SecretReader): Promise<(DkimKey | null)[]> {
  const keys: (DkimKey | null)[] = []
  for (const [index, entry] of (draft.policy?.dkim ?? []).entries()) {
    const privateKey = await reader.dkimKey(entry?.key?.file, ['policy', 'dkim', index, 'key'])
    const { domain, selector } = entry ?? {}
    keys.push(
      privateKey === null || domain === undefined || selector === undefined
        ? null
        : { domain, selector, algorithm: dkimAlgorithm(privateKey), privateKey },
    )
  }
  return keys
}

async function connectorSecrets(
  connector: Draft<ConnectorConfig>,
  { reader, index }: { reader: SecretReader; index: number },
): Promise<ConnectorSecrets> {
  const at = ['connectors', index]
  return {
    password: await reader.secret(connector.password, [...at, 'password']),
    ca: await reader.authorities(connector.caFile, [...at, 'caFile']),
    clientCertificate: await reader.keyPair(connector.clientCertificate, [...at, 'clientCertificate']),
  }
}

function checkerSecret(
  checker: Draft<CheckerConfig>,
  { reader, index }: { reader: SecretReader; index: number },
): Promise<string | null> {
  const key = checker.kind === 'webhook' ? 'secret' : 'password'
  const reference = 'secret' in checker ? checker.secret : 'password' in checker ? checker.password : null
  return reader.secret(reference, ['policy', 'checkers', index, key])
}

function withSecret(checker: CheckerConfig, secret: string | null): CheckerSettings {
  switch (checker.kind) {
    case 'rspamd':
      return { ...checker, password: secret }
    case 'webhook':
      // The schema demands a reference; one that cannot be read is an error that stops the start.
      return { ...checker, secret: secret ?? '' }
    default:
      return checker
  }
}

/** The hash is not repeated: somebody may have written the password in its place. */
function passwordHashFindings(draft: ConfigDraft | null): Finding[] {
  return (draft?.access?.users ?? []).flatMap((user, index) => {
    if (user?.passwordHash === undefined || isPasswordHash(user.passwordHash)) return []
    return [
      error(
        ['access', 'users', index, 'passwordHash'],
        'must be a hash as printed by: relay password (never the password itself)',
      ),
    ]
  })
}

function environmentErrors(env: Environment): Problem[] {
  const problem = (path: string, message: string): Problem => ({ path, message, line: null })
  const errors: Problem[] = []
  // Node would take every certificate then, behind the back of each connector's tlsAuthLevel.
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0')
    errors.push(
      problem(
        'NODE_TLS_REJECT_UNAUTHORIZED',
        'must not be 0 in the environment: it switches off every certificate check; use tlsAuthLevel or caFile of a connector',
      ),
    )
  const redisError = env.REDIS_URL ? redisUrlError(env.REDIS_URL, { credentials: 'allowed' }) : null
  if (redisError !== null) errors.push(problem('REDIS_URL', `in the environment ${redisError}`))
  return errors
}

function withEnvironment(config: Config, env: Environment): Config {
  if (!env.REDIS_URL) return config
  const { url, username } = parseRedisUrl(env.REDIS_URL)
  const redis = { ...config.queue.redis, url, username: username ?? config.queue.redis.username }
  return { ...config, queue: { ...config.queue, store: 'redis', redis } }
}

function redisSettings(
  config: Config,
  { secret, env }: { secret: string | null; env: Environment },
): LoadedConfig['redis'] {
  const fromUrl = env.REDIS_URL ? parseRedisUrl(env.REDIS_URL).password : null
  return { ...config.queue.redis, password: fromUrl ?? secret }
}
