import { z } from 'zod'

import { parseJson, readConfigText } from '../config.ts'

/** The part of a process's configuration that every emulator has: the `EmulatorOptions` but the clock. */
export const emulatorConfig = {
  port: z.int().min(0).max(65_535).exactOptional(),
  retryDelaysMs: z.array(z.number().min(0)).exactOptional(),
  timeScale: z.number().positive().exactOptional(),
  answerWithinMs: z.int().min(1).exactOptional(),
  deliveryLogPath: z.string().min(1).exactOptional(),
} as const

export interface ProcessPlan<Config, Running extends { stop(): Promise<void> }> {
  /** Where the configuration stands if the first argument is none. */
  readonly variable: string
  readonly schema: z.ZodType<Config>
  start(config: Config): Promise<Running>
  /** What a reader of the first line must know: the address and the public keys. */
  ready(running: Running): Readonly<Record<string, unknown>>
}

/** Runs an emulator as a process: says one line of JSON when it is ready, ends on a signal. */
export async function runEmulator<Config, Running extends { stop(): Promise<void> }>(
  plan: ProcessPlan<Config, Running>,
): Promise<void> {
  const config = plan.schema.parse(parseJson(readConfigText(plan.variable)))
  const running = await plan.start(config)
  process.stdout.write(`${JSON.stringify(plan.ready(running))}\n`)
  const stop = (): void => {
    void running.stop().then(() => process.exit(0))
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}
