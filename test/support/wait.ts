const STEP_MS = 25

/** Waits until `read` gives a value; fails with what it was waiting for. */
export async function waitFor<T>(
  what: string,
  read: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 15_000,
  stepMs = STEP_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    const value = await read()
    if (value !== undefined) return value
    await new Promise((resolve) => setTimeout(resolve, stepMs))
  }
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
}
