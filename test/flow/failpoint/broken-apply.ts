import { fileURLToPath } from 'node:url'
import type { FailpointName } from '#domain/failpoint'
import { CONTROL, arm, hasFired } from '../../failpoint/control.ts'
import type { FailpointAction } from '../../failpoint/control.ts'
import type { Batch } from '../batch.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * Applies what is received in a process of its own, which is broken at a point.
 *
 * Returns the signal that ended it, or what it said: `failed`, or how many it applied.
 */
export async function applyBroken(
  batch: Batch,
  control: string,
  point: readonly [FailpointName, FailpointAction],
): Promise<string> {
  arm(control, point)
  const flags = ['--conditions=test', 'test/failpoint/apply.ts']
  const child = Bun.spawn([process.execPath, ...flags, batch.merchantId], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], DATABASE_URL: batch.databaseUrl, [CONTROL]: control },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = await new Response(child.stdout).text()
  await child.exited
  if (!hasFired(control)) throw new Error(`${point[0]} was not reached`)
  return child.signalCode === null ? output.trim() : String(child.signalCode)
}
