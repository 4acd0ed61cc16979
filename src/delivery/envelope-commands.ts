/**
 * MAIL and RCPT as they are written to a host. nodemailer has one set of DSN parameters for a whole message; here
 * each recipient has its own, as it was received.
 */
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import { type Extensions, needsUtf8, type OutgoingMessage } from './extensions.ts'

/** MAIL and RCPT with the parameters that this host has announced, and no others. */
export function envelopeCommands(message: OutgoingMessage, extensions: Extensions): string[] {
  const commands = [mailCommand(message, extensions)]
  for (const recipient of message.recipients) commands.push(recipientCommand(recipient, extensions))
  return commands
}

function mailCommand(message: OutgoingMessage, extensions: Extensions): string {
  const { sender } = message
  let command = `MAIL FROM:<${sender.from}>`
  if (extensions.size !== null) command += ` SIZE=${message.sizeBytes}`
  if (extensions.eightBitMime && (message.eightBit || sender.bodyType === '8bitmime'))
    command += ' BODY=8BITMIME'
  if (needsUtf8(message)) command += ' SMTPUTF8'
  return extensions.dsn ? command + returnParameters(sender) : command
}

/** RFC 3461 §4.3 and §4.4. */
function returnParameters({ ret, envid }: EnvelopeSender): string {
  const parameters = ret === null ? '' : ` RET=${ret.toUpperCase()}`
  return envid !== null && xtext.test(envid) ? `${parameters} ENVID=${envid}` : parameters
}

/** RFC 3461 §4.1 and §4.2: each recipient has its own. */
function recipientCommand({ address, notify, orcpt }: EnvelopeRecipient, extensions: Extensions): string {
  let command = `RCPT TO:<${address}>`
  if (!extensions.dsn) return command
  if (notify !== null) command += ` NOTIFY=${notify === 'never' ? 'NEVER' : notify.join(',').toUpperCase()}`
  if (orcpt !== null && originalRecipient.test(orcpt)) command += ` ORCPT=${orcpt}`
  return command
}

// Both were received as xtext and are passed on undecoded; what is not xtext could carry a parameter of its own.
const xtext = /^(?:[!-*,-<>-~]|\+[0-9A-F]{2}){1,100}$/
const originalRecipient = /^[A-Za-z0-9-]{1,50};(?:[!-*,-<>-~]|\+[0-9A-F]{2}){1,500}$/
