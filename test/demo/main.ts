import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '#db/migrate'
import { openPostgres } from '#db/postgres'
import { startPlatform } from '../support/platform.ts'
import { createNarrator } from './narrator.ts'
import { runStory } from './story.ts'

const args = new Set(process.argv.slice(2))
const isOnce = args.has('--once')
const isJson = args.has('--json')

const startedAt = performance.now()
const say = createNarrator(isJson ? process.stderr : process.stdout, startedAt)
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-demo-'))

try {
  process.exitCode = await demo()
} catch (error) {
  say.failure(error)
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/** Starts every part, tells the story once, and stays up unless it was asked not to. */
async function demo(): Promise<number> {
  const postgres = await openPostgres(
    { PINGZHANG_PG_BIN: process.env['PINGZHANG_PG_BIN'] },
    {
      dataDirectory: directory,
    },
  )
  try {
    say.step('PostgreSQL is up, in a directory of its own that goes away at the end')
    await migrate(postgres.url)
    say.step('tables and queues are made')
    const platform = await startPlatform({ databaseUrl: postgres.url, requireDurable: true })
    try {
      say.step('gateway, worker, WeChat Pay emulator and points service are up')
      const result = await runStory(platform, say, startedAt)
      say.table(result.payments)
      say.addresses(platform)
      if (!isOnce) await untilStopped()
      if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`)
      return result.ok ? 0 : 1
    } finally {
      await platform.stop()
    }
  } finally {
    await postgres.stop()
  }
}

function untilStopped(): Promise<void> {
  say.step('Ctrl-C stops everything')
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', resolve)
  process.once('SIGTERM', resolve)
  return promise
}
