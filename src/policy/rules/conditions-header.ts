/** Conditions about the header, decoded, and about what is known of the message without reading its content. */
import { formatSize } from '../../config/units.ts'
import type { HeaderView } from '../../message/header-view.ts'
import { senderKey } from '../../route/sender.ts'
import { type Compilers, type Find, shown } from './condition.ts'
import { addressIs, containsWords, domainIs, firstOf, isIn, matches } from './conditions-envelope.ts'
import type { MessageFacts } from './facts.ts'
import type { Mailbox } from './mailbox.ts'
import { compiledPatterns, firstFind } from './pattern-list.ts'
import { WordList } from './words.ts'

type HeaderKey =
  | 'messageSizeOver'
  | 'fromIs'
  | 'fromDomainIs'
  | 'fromContainsWords'
  | 'fromMatches'
  | 'fromIn'
  | 'fromDefectIs'
  | 'senderDiffersFromFrom'
  | 'headerPresent'
  | 'headerAbsent'
  | 'importanceIs'
  | 'subjectContainsWords'
  | 'headerContainsWords'
  | 'subjectMatches'
  | 'headerMatches'

/** Patterns last: they are the dearest. */
export const headerConditions: Compilers<HeaderKey, Find<MessageFacts>> = {
  messageSizeOver:
    (sizeBytes) =>
    ({ sizeBytes: size }) =>
      size >= sizeBytes ? formatSize(size) : null,
  fromIs: (addresses) => ofAuthors(addressIs(addresses)),
  fromDomainIs: (domains) => ofAuthors(domainIs(domains)),
  fromContainsWords: (words) => ofAuthors(containsWords(words)),
  fromMatches: (patterns) => ofAuthors(matches(patterns)),
  fromIn: (names, lists) => ofAuthors(isIn(names, lists)),
  fromDefectIs:
    (defects) =>
    ({ header: { from } }) =>
      'defect' in from && defects.includes(from.defect) ? from.defect : null,
  senderDiffersFromFrom: () => senderDiffersFromFrom,
  headerPresent:
    (names) =>
    ({ header }) =>
      names.find((name) => header.has(name)) ?? null,
  headerAbsent:
    (names) =>
    ({ header }) =>
      names.find((name) => !header.has(name)) ?? null,
  importanceIs: (importances) => (facts) => {
    const importance = importanceOf(facts.header)
    return importances.includes(importance) ? importance : null
  },
  subjectContainsWords: (words) => {
    const list = new WordList(words)
    return ({ subject }) => list.find(subject)
  },
  headerContainsWords: (entries) => {
    const lists = entries.map(({ header, words }) => ({ header, list: new WordList(words) }))
    return (facts) =>
      firstOf(lists, ({ header, list }) =>
        named(
          header,
          firstOf(facts.values(header), (value) => list.find(value)),
        ),
      )
  },
  subjectMatches: (sources) => {
    const patterns = compiledPatterns(sources)
    return ({ header }) => firstFind(patterns, header.subject)
  },
  headerMatches: (entries) => {
    const lists = entries.map((entry) => ({ ...entry, compiled: compiledPatterns(entry.patterns) }))
    return (facts) =>
      firstOf(lists, ({ header, compiled }) =>
        named(
          header,
          firstOf(facts.header.values(header), (value) => firstFind(compiled, value)),
        ),
      )
  },
}

function ofAuthors(find: Find<Mailbox>): Find<MessageFacts> {
  return ({ authors }) => firstOf(authors, find)
}

function named(header: string, found: string | null): string | null {
  return found === null ? null : shown(`${header}: ${found}`)
}

/** The null reverse-path is nobody, and differs from nobody. */
function senderDiffersFromFrom({ sender, header: { from } }: MessageFacts): string | null {
  if (sender.address === '') return null
  if ('defect' in from) return shown(`${sender.address}, From: ${from.defect}`)
  return senderKey(from.address) === sender.key ? null : shown(`${sender.address}, From: ${from.address}`)
}

/** Each program has its own field; the first that says something counts, RFC 2156's first, as in Exchange. */
const importanceFields: readonly (readonly [name: string, values: Readonly<Record<string, Importance>>])[] = [
  ['importance', { low: 'low', normal: 'normal', high: 'high' }],
  ['x-priority', { 1: 'high', 2: 'high', 3: 'normal', 4: 'low', 5: 'low' }],
  ['x-msmail-priority', { low: 'low', normal: 'normal', high: 'high' }],
  ['priority', { 'non-urgent': 'low', normal: 'normal', urgent: 'high' }],
]
type Importance = 'low' | 'normal' | 'high'

function importanceOf(header: HeaderView): Importance {
  for (const [name, values] of importanceFields)
    for (const value of header.values(name)) {
      // `1 (Highest)`
      const word = /^[\w-]+/.exec(value)?.[0].toLowerCase() ?? ''
      if (Object.hasOwn(values, word)) return values[word]!
    }
  return 'normal'
}
