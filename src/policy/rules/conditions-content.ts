/** Conditions about the content: text, structure, attachments and what is found inside them. */
import { formatSize } from '../../config/units.ts'
import type { Attachment } from '../../message/content/content.ts'
import { type Compilers, type FindInContent, shown } from './condition.ts'
import { firstOf } from './conditions-envelope.ts'
import { compiledPatterns, firstFind } from './pattern-list.ts'
import { compileSensitiveData } from './sensitive-data.ts'
import { WordList } from './words.ts'

type ContentKey =
  | 'messageTypeIs'
  | 'characterSetIs'
  | 'attachmentNameMatches'
  | 'attachmentExtensionIs'
  | 'attachmentTypeIs'
  | 'attachmentSizeOver'
  | 'attachmentCountOver'
  | 'attachmentNotInspected'
  | 'contentAmbiguous'
  | 'subjectOrBodyContainsWords'
  | 'subjectOrBodyMatches'
  | 'sensitiveData'

export const contentConditions: Compilers<ContentKey, FindInContent> = {
  messageTypeIs: (types) => ({
    find: (_facts, content) => types.find((type) => content.types.includes(type)) ?? null,
  }),
  characterSetIs: (names) => {
    const sets = new Set(names.map((name) => name.toLowerCase()))
    return {
      find: (_facts, { characterSets }) => {
        const found = characterSets.find((name) => sets.has(name))
        return found === undefined ? null : shown(found)
      },
    }
  },
  attachmentNameMatches: (sources) => {
    const patterns = compiledPatterns(sources)
    return ofAttachments(({ name }) => (name === null ? null : firstFind(patterns, name)))
  },
  attachmentExtensionIs: (extensions) => {
    const set = new Set(extensions.map((extension) => extension.toLowerCase()))
    return ofAttachments(({ extension }) => (extension !== null && set.has(extension) ? extension : null))
  },
  attachmentTypeIs: (types) =>
    ofAttachments((attachment) => types.find((type) => attachment.types.includes(type)) ?? null),
  attachmentSizeOver: (sizeBytes) =>
    ofAttachments((attachment) =>
      attachment.sizeBytes >= sizeBytes ? formatSize(attachment.sizeBytes) : null,
    ),
  attachmentCountOver: (count) => ({
    find: (_facts, { attachments }) => {
      const own = attachments.filter(({ within }) => within.length === 0).length
      return own > count ? String(own) : null
    },
  }),
  attachmentNotInspected: () => ofAttachments(({ notInspected }) => notInspected),
  contentAmbiguous: () => ({
    find: (_facts, { ambiguities: [first] }) => (first === undefined ? null : shown(first)),
  }),
  subjectOrBodyContainsWords: (words) => {
    const list = new WordList(words)
    return {
      inHeader: ({ subject }) => list.find(subject),
      find: (facts, content) => list.find(facts.everything(content)),
    }
  },
  subjectOrBodyMatches: (sources) => {
    const patterns = compiledPatterns(sources)
    return {
      inHeader: ({ header }) => firstFind(patterns, header.subject),
      find: (_facts, content) => firstFind(patterns, content.text),
    }
  },
  sensitiveData: (entries) => {
    const finds = entries.map((entry) => ({ type: entry.type, find: compileSensitiveData(entry) }))
    return {
      find: (facts, content) => {
        const text = facts.everything(content)
        return firstOf(finds, ({ type, find }) => {
          const found = find(text)
          return found === null ? null : `${type}: ${found}`
        })
      },
    }
  },
}

/** What was found, and where: `executable (data.zip/tool.exe)`. */
function ofAttachments(find: (attachment: Attachment) => string | null): FindInContent {
  return {
    find: (_facts, { attachments }) =>
      firstOf(attachments, (attachment) => {
        const found = find(attachment)
        return found === null ? null : shown(`${found} (${placeOf(attachment)})`)
      }),
  }
}

function placeOf({ within, name }: Attachment): string {
  return [...within, name ?? 'without a name'].join('/')
}
