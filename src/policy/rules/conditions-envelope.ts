/** Conditions about the envelope and the client, and the five ways in which a rule describes any address. */

import { NetworkList } from '../network-list.ts'
import { AddressList, type NamedLists } from './address-list.ts'
import { type Compilers, type Find, shown } from './condition.ts'
import type { EnvelopeFacts } from './facts.ts'
import type { Mailbox } from './mailbox.ts'
import { compiledPatterns, firstFind } from './pattern-list.ts'
import { WordList } from './words.ts'

type SessionKey =
  | 'senderIs'
  | 'senderDomainIs'
  | 'senderContainsWords'
  | 'senderMatches'
  | 'senderIn'
  | 'clientNetworkIs'
  | 'userIs'
  | 'listenerIs'

/** About what is known since MAIL. */
export const sessionConditions: Compilers<SessionKey, Find<EnvelopeFacts>> = {
  senderIs: (addresses) => ofSender(addressIs(addresses)),
  senderDomainIs: (domains) => ofSender(domainIs(domains)),
  senderContainsWords: (words) => ofSender(containsWords(words)),
  senderMatches: (patterns) => ofSender(matches(patterns)),
  senderIn: (names, lists) => ofSender(isIn(names, lists)),
  clientNetworkIs,
  userIs: (users) => {
    const names = new Set(users.map((user) => user.normalize('NFC')))
    return ({ client: { user } }) => (user !== null && names.has(user.normalize('NFC')) ? shown(user) : null)
  },
  listenerIs: (names) => {
    const listeners = new Set(names)
    return ({ client: { listener } }) => (listener !== null && listeners.has(listener) ? listener : null)
  },
}

type RecipientKey =
  | 'recipientIs'
  | 'recipientDomainIs'
  | 'recipientContainsWords'
  | 'recipientMatches'
  | 'recipientIn'

/** About one recipient: the rule acts on those that satisfy them. */
export const recipientConditions: Compilers<RecipientKey, Find<Mailbox>> = {
  recipientIs: addressIs,
  recipientDomainIs: domainIs,
  recipientContainsWords: containsWords,
  recipientMatches: matches,
  recipientIn: isIn,
}

type WholeEnvelopeKey =
  | 'anyRecipientIs'
  | 'anyRecipientDomainIs'
  | 'anyRecipientContainsWords'
  | 'anyRecipientMatches'
  | 'anyRecipientIn'
  | 'recipientCountOver'

/** About all recipients together, as submitted: nothing that could be asked at RCPT. */
export const wholeEnvelopeConditions: Compilers<WholeEnvelopeKey, Find<EnvelopeFacts>> = {
  anyRecipientIs: (addresses) => ofAnyRecipient(addressIs(addresses)),
  anyRecipientDomainIs: (domains) => ofAnyRecipient(domainIs(domains)),
  anyRecipientContainsWords: (words) => ofAnyRecipient(containsWords(words)),
  anyRecipientMatches: (patterns) => ofAnyRecipient(matches(patterns)),
  anyRecipientIn: (names, lists) => ofAnyRecipient(isIn(names, lists)),
  recipientCountOver:
    (count) =>
    ({ recipients }) =>
      recipients.length > count ? String(recipients.length) : null,
}

/** The mailbox itself, where it is one of these. */
export function addressIs(addresses: readonly string[]): Find<Mailbox> {
  const list = new AddressList(addresses)
  return (mailbox) => (list.find(mailbox) === null ? null : shown(mailbox.address))
}

/** The domain or wildcard that covers it. */
export function domainIs(domains: readonly string[]): Find<Mailbox> {
  const list = new AddressList(domains)
  return (mailbox) => list.find(mailbox)
}

export function containsWords(words: readonly string[]): Find<Mailbox> {
  const list = new WordList(words)
  return ({ text }) => list.find(text)
}

export function matches(sources: readonly string[]): Find<Mailbox> {
  const patterns = compiledPatterns(sources)
  return ({ address }) => firstFind(patterns, address)
}

/** `partners: *.example.org`, the list and its entry. */
export function isIn(names: readonly string[], lists: NamedLists): Find<Mailbox> {
  const named = names.map((name) => ({ name, list: lists.get(name) }))
  return (mailbox) => {
    for (const { name, list } of named) {
      const entry = list.find(mailbox)
      if (entry !== null) return shown(`${name}: ${entry}`)
    }
    return null
  }
}

/** What is found of the first that has something. */
export function firstOf<Subject>(subjects: readonly Subject[], find: Find<Subject>): string | null {
  for (const subject of subjects) {
    const found = find(subject)
    if (found !== null) return found
  }
  return null
}

function ofSender(find: Find<Mailbox>): Find<EnvelopeFacts> {
  return ({ sender }) => find(sender)
}

function ofAnyRecipient(find: Find<Mailbox>): Find<EnvelopeFacts> {
  return ({ recipients }) => firstOf(recipients, find)
}

function clientNetworkIs(networks: readonly string[]): Find<EnvelopeFacts> {
  const list = new NetworkList(networks)
  // What we made ourselves has no client, and comes from no network.
  return ({ client: { address } }) => (address !== null && list.has(address) ? address : null)
}
