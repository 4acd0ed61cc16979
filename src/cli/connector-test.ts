/**
 * `relay connector test ID`: can mail leave by this connector? Each of its smart hosts is tried as mail would try
 * it, from its name to QUIT, and each step shown with its reply. It needs no running relay and sends no mail.
 */
import type { Command } from 'commander'
import type { Connector } from '../config/connector.ts'
import { configFile, loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { systemResolver } from '../delivery/resolve.ts'
import { type CertificateFacts, type HostTrial, type Step, tryHost } from './host-trial.ts'
import { type Column, formatTable } from './table.ts'

interface Options {
  readonly json?: boolean
}

interface TestedHost extends Omit<HostTrial, 'loginRefused'> {
  readonly smartHost: string
  /** Null where the name has none. */
  readonly address: string | null
}

export function registerConnectorTest(connector: Command): void {
  connector
    .command('test')
    .description(
      'try the smart hosts of a connector: name, connection, TLS, certificate, login; sends no mail',
    )
    .argument('<id>', 'id of the connector')
    .option('--json', 'print JSON')
    .action(async (id: string, options: Options, command: Command) => {
      const { writeOut, getOutHelpWidth } = command.configureOutput()
      const tested = await connectorOf(id, command)
      const hosts = await testHosts(tested)
      const ok = hosts.every(({ steps }) => steps.every((step) => step.ok))
      writeOut!(
        options.json
          ? `${JSON.stringify({ connector: id, name: tested.name, port: tested.port, ok, hosts }, null, 2)}\n`
          : hosts.map((host) => render(host, { port: tested.port, width: getOutHelpWidth?.() })).join('\n'),
      )
      if (!ok) process.exitCode = 1
    })
}

async function connectorOf(id: string, command: Command): Promise<Connector> {
  const file = configFile(command.optsWithGlobals<{ config?: string }>().config, process.env)
  const loaded = await loadConfig(file, { env: process.env })
  if ('errors' in loaded) throw new Error(loaded.errors.map((error) => formatProblem(error, file)).join('\n'))
  const connector = loaded.connectors.find((one) => one.id === id)
  if (connector === undefined) throw new Error(`${file} has no connector ${id}`)
  return connector
}

async function testHosts(connector: Connector): Promise<TestedHost[]> {
  const hosts: TestedHost[] = []
  let withoutLogin: string | null = null
  for (const smartHost of connector.smartHosts) {
    const resolution = await systemResolver(smartHost)
    if ('error' in resolution) {
      hosts.push(unresolved(smartHost, resolution.error))
      continue
    }
    for (const address of resolution.tiers.flat()) {
      const { loginRefused, ...trial } = await tryHost(
        connector,
        { name: smartHost, address },
        { withoutLogin },
      )
      // Wrong credentials are wrong at every host of the connector; trying them all gets accounts locked.
      if (loginRefused) withoutLogin = 'not tried: another host has refused the credentials'
      const steps = [{ step: 'resolve', ok: true, text: address } as const, ...trial.steps]
      hosts.push({ smartHost, address, ...trial, steps })
    }
  }
  return hosts
}

function unresolved(smartHost: string, error: string): TestedHost {
  const steps: Step[] = [{ step: 'resolve', ok: false, text: `No address for ${smartHost}: ${error}` }]
  return { smartHost, address: null, steps, extensions: [], certificate: null }
}

interface Row {
  readonly result: string
  readonly step: string
  readonly text: string
}

const columns: readonly Column<Row>[] = [
  { title: 'result', value: ({ result }) => result },
  { title: 'step', value: ({ step }) => step },
  { title: 'what was found', value: ({ text }) => text },
]

function render(host: TestedHost, options: { port: number; width: number | undefined }): string {
  const { smartHost, address } = host
  const name = address === null || address === smartHost ? smartHost : `${smartHost} [${address}]`
  const rows = host.steps.flatMap((step) => [
    { result: step.ok ? 'ok' : 'FAILED', step: step.step, text: step.text },
    ...detailsOf(step, host).map((text) => ({ result: '', step: '', text })),
  ])
  return `${name}, port ${options.port}\n${formatTable(columns, rows, options)}`
}

function detailsOf({ step }: Step, { extensions, certificate }: TestedHost): string[] {
  if (step === 'ehlo' && extensions.length > 0) return [extensions.join(', ')]
  if (step === 'certificate' && certificate !== null) return certificateLines(certificate)
  return []
}

function certificateLines(certificate: CertificateFacts): string[] {
  const { subject, names, issuer, validFrom, validTo, chainFault, nameFault } = certificate
  return [
    `subject: ${subject}`,
    `names: ${names || 'none'}`,
    `issuer: ${issuer}`,
    `valid: ${validFrom} to ${validTo}`,
    `chain: ${chainFault ?? 'leads to a trusted root'}`,
    `name: ${nameFault ?? 'is the one it must carry'}`,
  ]
}
