/** Where in a configuration something stands. */

export type Path = readonly (string | number)[]

/** `connectors[0].addressSpaces[1]` */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
}

/** What stands there in the configuration as read; undefined where nothing does. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Record<string | number, unknown>)[step]
        : undefined,
    root,
  )
}

/** Whether the file itself has a value there, valid or not; null counts as left out. */
export function isGiven(root: unknown, path: Path): boolean {
  const value = valueAt(root, path)
  return value !== undefined && value !== null
}
