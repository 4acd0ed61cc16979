/** What was recorded, and a way to wait for more of it. */
import type { MailEvent } from '../../src/observe/events.ts'

/** The member of the union that has this name, also where one member has several. */
type Named<Name extends MailEvent['event']> = MailEvent extends infer Event
  ? Event extends { readonly event: string }
    ? Name extends Event['event']
      ? Event
      : never
    : never
  : never

export class RecordedEvents {
  readonly all: MailEvent[] = []
  readonly record = (event: MailEvent): void => {
    this.all.push(event)
    for (const check of [...this.#watchers]) check()
  }
  readonly #watchers = new Set<() => void>()

  of<Name extends MailEvent['event']>(name: Name): Named<Name>[] {
    return this.all.filter((event): event is Named<Name> => event.event === name)
  }

  /** Resolves when so many of them are there, with all of them. */
  async until<Name extends MailEvent['event']>(name: Name, count = 1): Promise<Named<Name>[]> {
    await this.condition(() => this.of(name).length >= count)
    return this.of(name)
  }

  condition(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return
        this.#watchers.delete(check)
        resolve()
      }
      this.#watchers.add(check)
      check()
    })
  }
}
