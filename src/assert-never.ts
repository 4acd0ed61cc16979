/** The default of an exhaustive `switch`: the compiler refuses it where a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`Not a case that exists: ${JSON.stringify(value)}`)
}
