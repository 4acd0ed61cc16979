/**
 * `email.exchange.Account`, and what it means here. The relay has no mailboxes: every address is an account that can be
 * read, and those that have a binding of their own are listed. Of the model the address and its connector count; what
 * belongs to a mailbox is accepted, not kept, and shown as a mailbox without anything special would have it.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { domainOf } from '../../address.ts'
import type { CurrentSetup } from '../../setup/current.ts'
import { instant } from './instant.ts'
import { OvhcloudError } from './ovhcloud-error.ts'
import { numberOf } from './send-connector-model.ts'
import { pendingTask } from './task-model.ts'

const text = z.string().nullish()
const flag = z.boolean().nullish()
const long = z.int().nullish()
const license = z.enum(['basic', 'enterprise', 'standard'])
const renewPeriod = z.enum(['monthly', 'yearly']).nullish()
/** Accepted as it was read, and ignored. */
const readOnly = z.unknown().optional()

/** 0: none. */
export const connectorNumber = z.int().min(0).nullish()

const spamAndVirusConfiguration = z
  .strictObject({
    checkDKIM: flag,
    checkSPF: flag,
    deleteSpam: flag,
    deleteVirus: flag,
    putInJunk: flag,
    tagSpam: flag,
    tagVirus: flag,
  })
  .nullish()

/** What can be said of an account when it is made and later. */
const described = {
  SAMAccountName: text,
  authenticationPolicyId: long,
  city: text,
  company: text,
  countryCode: text,
  description: text,
  displayName: text,
  fax: text,
  firstName: text,
  forwardingEmail: text,
  hiddenFromGAL: flag,
  jobDepartment: text,
  jobTitle: text,
  lastName: text,
  litigation: flag,
  litigationPeriod: long,
  mailSenderDisplay: text,
  mailingFilter: z.array(z.literal('vaderetro')).nullish(),
  mobile: text,
  office: text,
  outlookLicense: flag,
  phone: text,
  postalCode: text,
  quota: long,
  region: text,
  sbrDestination: text,
  sendConnectorId: connectorNumber,
  spamAndVirusConfiguration,
  storeCopyOfEmail: flag,
  streetAddress: text,
}

export const newAccount = z.strictObject({
  ...described,
  domain: z.string(),
  initials: text,
  license,
  login: z.string(),
  password: z.string(),
})

export const changedAccount = z.strictObject({
  ...described,
  accountLicense: license.nullish(),
  deleteAtExpiration: flag,
  deleteOutlookAtExpiration: flag,
  domain: text,
  initial: text,
  login: text,
  renewOutlookPeriod: renewPeriod,
  renewPeriod,
  configured: readOnly,
  creationDate: readOnly,
  currentUsage: readOnly,
  customIsolationId: readOnly,
  exchangeGuid: readOnly,
  expirationDate: readOnly,
  expirationOutlookDate: readOnly,
  guid: readOnly,
  id: readOnly,
  lastLogoffDate: readOnly,
  lastLogonDate: readOnly,
  lastUpdateDate: readOnly,
  numberOfAliases: readOnly,
  owaLimited: readOnly,
  passwordLastUpdate: readOnly,
  primaryEmailAddress: readOnly,
  SAMAccountName: readOnly,
  spamDetected: readOnly,
  spamTicketNumber: readOnly,
  state: readOnly,
  taskPendingId: readOnly,
})

export const accountFilter = z.strictObject({
  accountLicense: license.optional(),
  company: z.string().optional(),
  id: z.string().optional(),
  primaryEmailAddress: z.string().optional(),
})

export const aboutAccount = (address: string): string => `account ${address}`

/** The older mechanism of the platform: mail of an account to a relay that has no connector. */
export function demandNoDestination(
  field: 'sbrDestination' | 'sbrDefault',
  value: string | null | undefined,
): void {
  if (value == null || value === '') return
  const instead = field === 'sbrDestination' ? 'sendConnectorId' : 'sendConnectorIdDefault'
  throw new OvhcloudError(400, `${field} must be left empty: a connector is named by ${instead}`, { field })
}

export function accountModel(current: CurrentSetup, address: string, { now }: { now: number }): object {
  const { about, stored } = {
    about: aboutAccount(address),
    stored: current.senders.get(address)?.stored ?? null,
  }
  const task = pendingTask(current.snapshot, { about, now })
  return {
    ...mailbox,
    primaryEmailAddress: address,
    login: address.slice(0, address.lastIndexOf('@')),
    domain: domainOf(address),
    id: accountId(address),
    sendConnectorId: connectorOf(current, address),
    state: task?.function === 'addAccount' ? 'creating' : 'ok',
    taskPendingId: task?.id ?? 0,
    creationDate: stored === null ? null : instant(stored.createdAt),
    lastUpdateDate: stored === null || stored.version === 1 ? null : instant(stored.changedAt),
  }
}

/** Those with a binding of their own, also with none. */
export function accountsIn(current: CurrentSetup, filter: z.output<typeof accountFilter>): string[] {
  const {
    accountLicense = mailbox.accountLicense,
    company = '%',
    id = '%',
    primaryEmailAddress = '%',
  } = filter
  if (accountLicense !== mailbox.accountLicense || company.replaceAll('%', '') !== '') return []
  const [hasAddress, hasId] = [like(primaryEmailAddress), like(id)]
  return [...current.senders.keys()].filter(
    (sender) => !sender.startsWith('@') && hasAddress(sender) && hasId(String(accountId(sender))),
  )
}

/** What its mail leaves by: its own, else its domain's; 0 for none, null for one that has no number. */
function connectorOf({ senders }: CurrentSetup, address: string): number | null {
  const own = senders.get(address)
  const id = own === undefined ? defaultOf({ senders }, domainOf(address)) : own.connector
  return id === null ? 0 : numberOf(id)
}

export function defaultOf({ senders }: Pick<CurrentSetup, 'senders'>, domain: string): string | null {
  return senders.get(`@${domain}`)?.connector ?? null
}

/** The same on all nodes and at all times, though nothing is stored of most. */
const accountId = (address: string): number => createHash('sha256').update(address).digest().readUIntBE(0, 6)

/** As in SQL, where `%` stands for anything. Without a regular expression, which could be made to try every place for every `%`. */
function like(pattern: string): (text: string) => boolean {
  const [first, ...others] = pattern.toLowerCase().split('%')
  const last = others.pop()
  if (last === undefined) return (text) => text.toLowerCase() === first
  return (text) => hasInOrder(text.toLowerCase(), { first: first!, between: others, last })
}

function hasInOrder(
  text: string,
  { first, between, last }: { first: string; between: readonly string[]; last: string },
): boolean {
  if (!text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  for (const part of between) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= text.length - last.length
}

/** `deleteVirus` is true because OVHcloud takes no account without it, and what is read here is written there. */
const mailbox = {
  accountLicense: 'basic',
  SAMAccountName: null,
  authenticationPolicyId: null,
  city: null,
  company: null,
  configured: true,
  countryCode: null,
  currentUsage: null,
  customIsolationId: null,
  deleteAtExpiration: null,
  deleteOutlookAtExpiration: null,
  description: null,
  displayName: null,
  exchangeGuid: null,
  expirationDate: null,
  expirationOutlookDate: null,
  fax: null,
  firstName: null,
  forwardingEmail: null,
  guid: null,
  hiddenFromGAL: false,
  initial: null,
  jobDepartment: null,
  jobTitle: null,
  lastLogoffDate: null,
  lastLogonDate: null,
  lastName: null,
  litigation: false,
  litigationPeriod: null,
  mailSenderDisplay: null,
  mailingFilter: null,
  mobile: null,
  numberOfAliases: 0,
  office: null,
  outlookLicense: false,
  owaLimited: false,
  passwordLastUpdate: null,
  phone: null,
  postalCode: null,
  quota: 0,
  region: null,
  renewOutlookPeriod: null,
  renewPeriod: null,
  sbrDestination: null,
  spamAndVirusConfiguration: {
    checkDKIM: false,
    checkSPF: false,
    deleteSpam: false,
    deleteVirus: true,
    putInJunk: false,
    tagSpam: false,
    tagVirus: false,
  },
  spamDetected: false,
  spamTicketNumber: null,
  storeCopyOfEmail: false,
  streetAddress: null,
} as const
