/** Which items a command of `relay queue` means: those of a filter, or one by its id. */
import { type Command, InvalidArgumentError } from 'commander'
import { isItemId, isMessageId } from '../message-id.ts'
import type { ItemFilter } from './admin-client.ts'

export function addFilterOptions(command: Command): Command {
  return command
    .option('--connector <id>', 'of this connector only; unreachable: mail that waits for a route')
    .option('--state <state>', 'ready, deferred, leased or suspended')
    .option('--sender <address>', 'user@example.com, @example.com, or <> for the null reverse-path')
    .option('--recipient <address>', 'user@example.com or @example.com')
}

/** Of options that may hold others too. */
export function filterOf({ connector, state, sender, recipient }: ItemFilter): ItemFilter {
  return {
    ...(connector !== undefined && { connector }),
    ...(state !== undefined && { state }),
    ...(sender !== undefined && { sender }),
    ...(recipient !== undefined && { recipient }),
  }
}

export function parseId(text: string): string {
  if (isItemId(text) || isMessageId(text)) return text
  throw new InvalidArgumentError('It must be the id of an item or of a message, 20 capitals and digits.')
}
