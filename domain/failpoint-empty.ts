import type { FailpointName } from './failpoint.ts'

/** Does nothing. This is `#failpoint` wherever the condition `test` is not set. */
export function hit(_name: FailpointName): void {}
