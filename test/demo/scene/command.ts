import { fileURLToPath } from 'node:url'
import type { Stage } from '../stage.ts'

const CLI = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url))
const CLOCK = fileURLToPath(new URL('../clock-preload.ts', import.meta.url))

/** An operator's command, as it is typed: `npm run pingzhang -- …`. Throws with what it printed when it fails. */
async function command(stage: Stage, args: readonly string[]): Promise<void> {
  const child = Bun.spawn([process.execPath, '--preload', CLOCK, CLI, ...args], {
    env: { ...stage.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = await Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  )
  const code = await child.exited
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${said.join('')}`)
}

/** The amount that the vendor's bill says is what was received. The version is the one that was read. */
export const resolveByCommand = (
  stage: Stage,
  { id, version }: { readonly id: string; readonly version: number },
): Promise<void> =>
  command(stage, [
    'discrepancy',
    'resolve',
    id,
    ...['--decision', 'adjust'],
    ...['--reason', 'the customer added a fen, says the statement of the bank'],
    ...['--version', String(version)],
    ...['--as', 'ann'],
  ])
