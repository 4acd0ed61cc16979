/** A value that the page shows in more than one place, and that outlives every view: language, session, route. */
import { useEffect, useState } from 'preact/hooks'

export class Store<Value> {
  readonly #watchers = new Set<() => void>()
  #value: Value

  constructor(value: Value) {
    this.#value = value
  }

  get value(): Value {
    return this.#value
  }

  set(value: Value): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const watcher of this.#watchers) watcher()
  }

  /** Returns what ends it. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }
}

export function useStore<Value>(store: Store<Value>): Value {
  const [, draw] = useState(0)
  const drawn = store.value
  useEffect(() => {
    const drawAgain = () => draw((times) => times + 1)
    // It may have changed after it was drawn, before it is watched.
    if (!Object.is(drawn, store.value)) drawAgain()
    return store.watch(drawAgain)
  }, [store])
  return drawn
}

/** What the browser remembers between visits; null where it remembers nothing, or must not. */
export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(`relay.${key}`)
  } catch {
    return null
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`relay.${key}`, value)
  } catch {
    // A browser that keeps nothing shows the page all the same.
  }
}
