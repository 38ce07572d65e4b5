import type { Random } from './random.ts'

/** Something that can be killed and comes back. */
export interface Victim {
  readonly name: string
  /** False if it was not running. */
  kill(): Promise<boolean>
}

export type Kills = Readonly<Record<string, number>>

const PAUSE_MS_MIN = 300
const PAUSE_MS_MAX = 2_200
const AWAY_PAUSE_MS = 20

/** Kills each victim so many times, in random order and with random pauses. Stops early when told. */
export async function runNemesis(
  random: Random,
  victims: readonly Victim[],
  killsEach: number,
  signal: AbortSignal,
): Promise<Kills> {
  const kills = new Map(victims.map(({ name }) => [name, 0]))
  const plan = random.shuffle(victims.flatMap((victim) => Array<Victim>(killsEach).fill(victim)))
  for (const victim of plan) {
    await Bun.sleep(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX))
    while (!signal.aborted && !(await victim.kill())) await Bun.sleep(AWAY_PAUSE_MS)
    if (signal.aborted) break
    kills.set(victim.name, (kills.get(victim.name) ?? 0) + 1)
  }
  return Object.fromEntries(kills)
}
