/**
 * `relay connector test ID`: can mail leave by this connector? Each of its smart hosts is tried as mail would try it,
 * from its name to QUIT, and each step shown with its reply. The running relay is asked, as only it has the connectors
 * that were made at run time; where none runs, a connector of the configuration file is tried from here. It sends no mail.
 */
import type { Command } from 'commander'
import type { ConnectorTest } from '../admin/connectors/connector-test-view.ts'
import type { Connector } from '../config/connector.ts'
import { configFile, loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { CertificateFacts, Step } from '../delivery/host-trial.ts'
import { type TestedHost, testHosts } from '../delivery/smart-host-test.ts'
import { AdminError } from './admin-client.ts'
import { ConnectorClient } from './connector-client.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { type Column, formatTable } from './table.ts'

interface Options {
  readonly json?: boolean
  readonly admin?: string
  readonly config?: string
}

export function registerConnectorTest(connector: Command): void {
  addAdminOption(connector.command('test'))
    .description(
      'try the smart hosts of a connector: name, connection, TLS, certificate, login; sends no mail',
    )
    .argument('<id>', 'id of the connector, of the running relay or else of the configuration file')
    .option('--json', 'print JSON')
    .action(async (id: string, { json }: Options, command: Command) => {
      const { writeOut, getOutHelpWidth } = command.configureOutput()
      const tested = await testByRelay(id, command)
      const width = getOutHelpWidth?.()
      writeOut!(
        json
          ? `${JSON.stringify(tested, null, 2)}\n`
          : tested.hosts.map((host) => render(host, { port: tested.port, width })).join('\n'),
      )
      if (!tested.ok) process.exitCode = 1
    })
}

async function testByRelay(id: string, command: Command): Promise<ConnectorTest> {
  let tested: ConnectorTest | null = null
  try {
    await withRelay(command, async (relay) => {
      tested = await new ConnectorClient(relay).test(id)
    })
    return tested!
  } catch (error) {
    const { admin }: Options = command.optsWithGlobals()
    if (admin !== undefined || !(error instanceof AdminError) || !mayBeOfFile(error)) throw error
    return testOfFile(id, { command, error })
  }
}

/** No relay runs here, or it does not have the connector: the file may have it since. */
function mayBeOfFile({ cause, isOfItem }: AdminError): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : ''
  return isOfItem || code === 'ECONNREFUSED' || code === 'ENOENT'
}

async function testOfFile(
  id: string,
  { command, error }: { command: Command; error: AdminError },
): Promise<ConnectorTest> {
  const { config, json }: Options = command.optsWithGlobals()
  const file = configFile(config, process.env)
  const connector = await connectorOf(id, file)
  if (connector === null)
    throw error.isOfItem ? error : new Error(`No relay runs, and ${file} has no connector ${id}`)
  const why = error.isOfItem ? error.message : 'No relay runs'
  if (!json) command.configureOutput().writeErr!(`${why}: trying connector ${id} of ${file} from here\n`)
  return { connector: id, name: connector.name, port: connector.port, ...(await testHosts(connector)) }
}

async function connectorOf(id: string, file: string): Promise<Connector | null> {
  const loaded = await loadConfig(file, { env: process.env })
  if ('errors' in loaded) throw new Error(loaded.errors.map((error) => formatProblem(error, file)).join('\n'))
  return loaded.connectors.find((one) => one.id === id) ?? null
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
