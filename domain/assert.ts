/** A bug in our own code: an assumption that does not hold. Never used for outside input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws when our own assumption is broken. The message says what was expected and what was found. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Makes a `switch` total: the compiler refuses a union member that was forgotten. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable member ${JSON.stringify(value)}`)
}
