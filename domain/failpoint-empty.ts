import type { AroundName, FailpointName } from './failpoint.ts'

/** True where an armed point can break this process. Production does not start then. */
export const CAN_FAIL: boolean = false

/** Does nothing. This is `#failpoint` wherever the condition `test` is not set. */
export function hit(_name: FailpointName): void {}

/** Does the effect; under the condition `test`, with a point on either side of it. */
export const around = <T>(_effect: AroundName, work: () => Promise<T>): Promise<T> => work()
