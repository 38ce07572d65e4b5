import { createNarrator } from './narrator.ts'
import { startStage } from './stage.ts'
import { runStory } from './story.ts'

const args = new Set(process.argv.slice(2))
const isOnce = args.has('--once')
const isJson = args.has('--json')

const startedAt = performance.now()
const say = createNarrator(isJson ? process.stderr : process.stdout, startedAt)
try {
  process.exitCode = await demo()
} catch (error) {
  say.failure(error)
  process.exitCode = 1
}

/** Starts every part, tells the story once, and stays up unless it was asked not to. */
async function demo(): Promise<number> {
  const stage = await startStage(say)
  try {
    const result = await runStory(stage, say, startedAt)
    say.table(result)
    say.addresses(stage)
    if (!isOnce) await untilStopped()
    if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`)
    return result.ok ? 0 : 1
  } finally {
    await stage.stop()
  }
}

function untilStopped(): Promise<void> {
  say.step('Ctrl-C stops everything')
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', resolve)
  process.once('SIGTERM', resolve)
  return promise
}
