/**
 * No container engine is needed here: both files are read, and everything they name is looked up in the tree, in
 * the configuration they use, or in the program.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { BlockList } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../src/config/parse.ts'
import { parseDuration } from '../src/config/units.ts'
import { startAdminPort } from './support/admin-port.ts'

const root = new URL('..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))

interface Instruction {
  readonly name: string
  readonly args: string
}

/** Instructions by build stage. Comments and continued lines are joined as Docker does. */
function stagesOf(dockerfile: string): Instruction[][] {
  const stages: Instruction[][] = []
  const text = dockerfile.replace(/^\s*#.*\n/gm, '').replace(/\\\n\s*/g, ' ')
  for (const line of text.split('\n').filter((line) => line.trim() !== '')) {
    const [, name, args] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? expect.unreachable(`cannot read ${line}`)
    if (name === 'FROM') stages.push([])
    stages.at(-1)!.push({ name: name!, args: args! })
  }
  return stages
}

const stages = stagesOf(read('Dockerfile'))
const all = stages.flat()
const image = stages.at(-1)!
const argsOf = (instructions: Instruction[], name: string) =>
  instructions.filter((instruction) => instruction.name === name).map(({ args }) => args)
const last = (name: string) => argsOf(image, name).at(-1) ?? expect.unreachable(`no ${name}`)

const environment = Object.fromEntries(argsOf(image, 'ENV').map((pair) => pair.split('=')))
const parsed = parseConfig(read(environment.RELAY_CONFIG!))
if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors))
const { config, warnings } = parsed

const compose = parse(read('docker-compose.yml'))
/** As compose fills it in from the environment; an unset one is an error there (`:?`). */
const withPassword = (text: string): string => text.replace(/\$\{REDIS_PASSWORD:\?[^}]+\}/, 'secret')
const { relay, redis } = compose.services
const [subnet, prefix] = compose.networks.mail.ipam.config[0].subnet.split('/')

/** Names that the program takes from its environment. */
function environmentRead(): Set<string> {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => read(join('src', path)))
  return new Set(
    sources.flatMap((text) => [...text.matchAll(/\benv\.([A-Z_]+)\b/g)].map((match) => match[1]!)),
  )
}

/** Whether the build context has the path: of .dockerignore, the last line that matches decides. */
function isInContext(path: string): boolean {
  const patterns = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const [top] = path.split('/')
  const deciding = patterns.findLast((pattern) => ['*', top].includes(pattern.replace(/^!/, '')))
  return deciding === undefined || deciding.startsWith('!')
}

describe('Dockerfile', () => {
  it('copies only what exists and what the build context holds', () => {
    const copies = argsOf(all, 'COPY').filter((args) => !args.includes('--from='))
    const paths = copies.flatMap((args) =>
      args
        .replace(/--\S+ /g, '')
        .split(' ')
        .slice(0, -1),
    )
    expect(paths).toContain('config')
    for (const path of paths) {
      expect(existsSync(join(root, path)), path).toBe(true)
      expect(isInContext(path), path).toBe(true)
    }
    for (const outside of ['.git', 'node_modules', 'data', 'test']) expect(isInContext(outside)).toBe(false)
  })

  it('takes the build from a stage that makes it', () => {
    const [from, source] = /--from=(\S+) \/app\/(\S+)/.exec(argsOf(image, 'COPY').join('\n'))!.slice(1)
    const stage = stages.find((instructions) => instructions[0]!.args.endsWith(` AS ${from}`))!
    const scripts = [
      ...argsOf(stage, 'RUN')
        .join('\n')
        .matchAll(/npm run (\S+)/g),
    ].map((match) => match[1]!)
    expect(scripts).toEqual(['build'])
    for (const script of scripts) expect(manifest.scripts).toHaveProperty(script)
    const { outDir, rootDir } = JSON.parse(read('src/tsconfig.json')).compilerOptions
    expect([outDir, rootDir]).toEqual([`../${source}`, '.'])
  })

  it('starts the program of this package, without a shell, with a command that it has', () => {
    expect(JSON.parse(last('ENTRYPOINT'))).toEqual(['node', manifest.bin.relay])
    const source = manifest.bin.relay.replace(/^dist\//, 'src/').replace(/\.js$/, '.ts')
    expect(existsSync(join(root, source))).toBe(true)
    const [command, ...rest] = JSON.parse(last('CMD'))
    expect(rest).toEqual([])
    expect(read(`src/cli/${command}.ts`)).toContain(`.command('${command}')`)
    expect(read(source)).toContain(`./cli/${command}.ts`)
  })

  it('installs no development dependencies into the image', () => {
    const installs = argsOf(image, 'RUN').filter((args) => args.includes('npm '))
    expect(installs).toHaveLength(1)
    expect(installs[0]).toContain('npm ci --omit=dev')
  })

  it('does not run as root, and gives the volume to whom it runs as', () => {
    const user = last('USER')
    expect(user).not.toMatch(/^(root|0)(:|$)/)
    const volume = last('VOLUME')
    expect(volume).toBe(config.dataDir)
    expect(
      argsOf(image, 'RUN').some((args) => args.includes(`--owner=${user} `) && args.endsWith(volume)),
    ).toBe(true)
  })

  it('uses one version of Node that the package supports', () => {
    const versions = argsOf(all, 'FROM').map((args) => /^node:(\d+)-\S+-slim\b/.exec(args)?.[1])
    expect(new Set(versions).size).toBe(1)
    const [minimum] = /\d+/.exec(manifest.engines.node)!
    expect(Number(versions[0])).toBeGreaterThanOrEqual(Number(minimum))
  })

  it('sets only variables that the program reads', () => {
    for (const name of Object.keys(environment)) expect(environmentRead()).toContain(name)
  })

  it('exposes the ports that are listened on from outside', () => {
    const reachable = config.listeners.filter(({ address }) => address === '0.0.0.0')
    expect(argsOf(image, 'EXPOSE').map(Number)).toEqual(reachable.map(({ port }) => port))
  })

  it('asks a route of the admin port whether the relay is alive', async () => {
    const command: string[] = JSON.parse(last('HEALTHCHECK').replace(/^.*?CMD /, ''))
    expect(command.slice(0, 2)).toEqual(['node', '-e'])
    const url = new URL(/'(http:[^']+)'/.exec(command[2]!)![1]!)
    expect(url.host).toBe(`${config.admin.address}:${config.admin.port}`)
    const port = await startAdminPort()
    // Without a token: the image has none to show.
    const answer = await fetch(port.url + url.pathname)
    await port.stop()
    expect(answer.status).toBe(200)
  })
})

describe('the configuration in the image', () => {
  it('has nothing doubtful in it', () => {
    expect(warnings).toEqual([])
  })

  it('is no open relay: it lets in the compose network and nobody else', () => {
    const allowed = config.access.networks.filter(
      (network) => network !== '127.0.0.0/8' && network !== '::1/128',
    )
    expect(allowed).toEqual([`${subnet}/${prefix}`])
    expect(config.access.users).toEqual([])
    const privateNetworks = new BlockList()
    for (const [network, bits] of [
      ['10.0.0.0', 8],
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
    ] as const)
      privateNetworks.addSubnet(network, bits)
    expect(privateNetworks.check(subnet)).toBe(true)
    expect(Number(prefix)).toBeGreaterThanOrEqual(16)
  })

  it('sends nothing anywhere but to its own sandbox', () => {
    for (const connector of config.connectors) {
      expect(connector.smartHosts).toEqual([config.sandbox!.address])
      expect(connector.port).toBe(config.sandbox!.port)
      expect(connector.requireTLS).toBe(true)
      const { file } = connector.password as { file: string }
      expect(file.startsWith('config/')).toBe(true)
      expect(read(file).trim()).toBe(config.sandbox!.password)
    }
  })

  it('keeps the ports without a login on loopback', () => {
    expect(config.admin.address).toBe('127.0.0.1')
    expect(config.sandbox!.address).toBe('127.0.0.1')
  })
})

describe('docker-compose.yml', () => {
  it('builds the Dockerfile', () => {
    expect(existsSync(join(root, relay.build, 'Dockerfile'))).toBe(true)
  })

  it('can run several relays: no name and no single host port of their own', () => {
    expect(relay).not.toHaveProperty('container_name')
    for (const published of relay.ports) {
      const [, address, from, to, port] = /^([\d.]+):(\d+)-(\d+):(\d+)$/.exec(published)!
      expect(address).toBe('127.0.0.1')
      expect(Number(to) - Number(from)).toBeGreaterThanOrEqual(2)
      expect(argsOf(image, 'EXPOSE')).toContain(port)
    }
    // What they share is the queue in Redis and the configuration; each has its own unnamed data volume.
    for (const volume of relay.volumes) expect(volume).toMatch(/:ro$/)
  })

  it('mounts only what exists, where the program looks for it', () => {
    for (const volume of relay.volumes) {
      const [source, target] = volume.split(':')
      expect(existsSync(join(root, source)), source).toBe(true)
      expect(join('/app', environment.RELAY_CONFIG!).startsWith(`${target}/`)).toBe(true)
    }
    expect(existsSync(join(root, environment.RELAY_CONFIG!))).toBe(true)
    for (const volume of redis.volumes) expect(compose.volumes).toHaveProperty(volume.split(':')[0])
  })

  it('sets only variables that the program reads', () => {
    for (const name of Object.keys(relay.environment)) expect(environmentRead()).toContain(name)
  })

  it('names a Redis that the relay can reach and others cannot', () => {
    const url = new URL(withPassword(relay.environment.REDIS_URL))
    expect(compose.services).toHaveProperty(url.hostname)
    expect(url.port).toBe('6379')
    for (const network of [...relay.networks, ...redis.networks])
      expect(compose.networks).toHaveProperty(network)
    expect(redis.networks).toEqual(['store'])
    expect(relay.networks).toContain('store')
    expect(compose.networks.store.internal).toBe(true)
    expect(redis).not.toHaveProperty('ports')
  })

  it('runs Redis so that what it confirms is kept', () => {
    const flags = new Map<string, string>()
    const [program, ...args] = redis.command
    for (let i = 0; i < args.length; i += 2) flags.set(args[i], args[i + 1])
    expect(program).toBe('redis-server')
    expect(Object.fromEntries(flags)).toEqual({
      '--appendonly': 'yes',
      '--appendfsync': 'always',
      '--maxmemory-policy': 'noeviction',
      '--requirepass': expect.any(String),
    })
    expect(redis.volumes).toEqual(['redis-data:/data'])
  })

  it('gives Redis a password, without which the relay refuses it, and the same to whoever asks', () => {
    const required = redis.command[redis.command.indexOf('--requirepass') + 1]
    expect(withPassword(required)).toBe('secret')
    expect(new URL(withPassword(relay.environment.REDIS_URL)).password).toBe('secret')
    expect(withPassword(redis.environment.REDISCLI_AUTH)).toBe('secret')
  })

  it('starts the relay when Redis is ready, and both again when they end', () => {
    expect(relay.depends_on.redis.condition).toBe('service_healthy')
    expect(redis.healthcheck.test.join(' ')).toContain('redis-cli ping')
    expect([relay.restart, redis.restart]).toEqual(['unless-stopped', 'unless-stopped'])
  })

  it('leaves the relay the time to finish what is in flight', () => {
    expect(parseDuration(relay.stop_grace_period)!).toBeGreaterThan(config.delivery.shutdownTimeout + 5000)
  })

  it('tells commands that exist', () => {
    const commands = [...read('docker-compose.yml').matchAll(/exec relay node (\S+) (\S+) (\S+)/g)]
    expect(commands.length).toBeGreaterThan(0)
    for (const [, program, command, sub] of commands) {
      expect(program).toBe(manifest.bin.relay)
      expect(read(`src/cli/${command}.ts`)).toContain(`.command('${sub}')`)
    }
  })
})
