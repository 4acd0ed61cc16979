/** What a relay did and thinks may not be meant: beside the result, for whoever reads along. */
import type { Command } from 'commander'

export function tellWarnings(warnings: readonly { readonly message: string }[], command: Command): void {
  const { writeErr } = command.configureOutput()
  for (const { message } of warnings) writeErr!(`warning: ${message}\n`)
}
