/**
 * What the rules do to a recipient, in the page's language. The API says it in English words, which are not many; what
 * is not known here is shown as it came. Pure.
 */
import type { Words } from './words-en.ts'

export function policyNotes(note: string, words: Pick<Words, 'policy'>): string[] {
  const held = note.indexOf('held: ')
  // The reason is an operator's own text, and may hold whatever separates the parts.
  const [before, reason] =
    held === -1 ? [note, null] : [note.slice(0, held), note.slice(held + 'held: '.length)]
  const notes = before
    .split('; ')
    .filter((part) => part !== '')
    .map((part) => noteOf(part, words))
  return reason === null ? notes : [...notes, words.policy.held(reason)]
}

function noteOf(part: string, { policy }: Pick<Words, 'policy'>): string {
  if (part === 'dropped: nobody is told') return policy.dropped
  if (part === 'added by a rule') return policy.added
  const replaced = /^in place of (.+)$/.exec(part)
  return replaced ? policy.inPlaceOf(replaced[1]!) : part
}
