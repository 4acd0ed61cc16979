/** Clients of a sandbox, up to where a test begins. */
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { SmtpClient } from '../support/smtp-client.ts'

export const login = { user: 'user', password: 'secret word' }

/** Inside TLS, whose certificate was checked, and greeted again. */
export async function securedClient(sandbox: Sandbox): Promise<SmtpClient> {
  const client = await SmtpClient.greet({ port: sandbox.port })
  await client.startTls({ ca: sandbox.certificate!, rejectUnauthorized: true, servername: 'localhost' })
  await client.command('EHLO client.example.com')
  return client
}

/** Logged in too. */
export async function submitter(sandbox: Sandbox): Promise<SmtpClient> {
  const client = await securedClient(sandbox)
  const reply = await client.command(`AUTH PLAIN ${plain(login.user, login.password)}`)
  if (!reply.startsWith('235')) throw new Error(`Cannot log in: ${reply}`)
  return client
}

/** The response of AUTH PLAIN. */
export function plain(user: string, password: string): string {
  return base64(`\0${user}\0${password}`)
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64')
