import { CAN_FAIL } from '#failpoint'

const VARIABLE = 'PINGZHANG_FAILPOINT'

/**
 * Why this process must not touch money: a failpoint could break it. `undefined`: none can.
 *
 * The variable does nothing by itself; whoever set it believes that it does, and should not believe it of money.
 */
export function whyFailpoints(
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (CAN_FAIL) return 'failpoints are built in: start without the condition `test`'
  return (env[VARIABLE] ?? '') === '' ? undefined : `${VARIABLE} is for tests: unset it`
}

/** Ends a start in which a failpoint could break the process: they are for tests alone. */
export function refuseFailpoints(env: Readonly<Record<string, string | undefined>>): void {
  const why = whyFailpoints(env)
  if (why !== undefined) throw new Error(why)
}
