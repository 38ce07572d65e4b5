import type { Command } from 'commander'
import { loadSealKey, loadVariable } from '#db/config'
import { migrate } from '#db/migrate'
import { openPostgres } from '#db/postgres'
import { whyFailpoints } from '#db/refuse-failpoint'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { Failure } from './failure.ts'
import { runProcess } from './process.ts'
import { checkAddressIsFree, waitUntilReady } from './ready.ts'

interface UpOptions extends JsonOption {
  readonly data: string
}

export function addUp(program: Command, context: Context): void {
  addCommand(program, 'up', 'run PostgreSQL, the gateway and the worker until Ctrl-C')
    .option('--data <directory>', 'where PostgreSQL keeps its files', '.data/postgres')
    .action((options: UpOptions) => up(context, options))
}

async function up(context: Context, options: UpOptions): Promise<void> {
  checkEnvironment(context)
  await checkAddressIsFree(context.env)
  const stop = stopSignal()
  const postgres = await openDatabaseServer(context, options)
  try {
    await migrate(postgres.url)
    await runProcesses(context, { options, databaseUrl: postgres.url, stop })
  } finally {
    await postgres.stop()
  }
}

/** Before anything starts: a worker that dies after half a minute is a worse way to say this. */
function checkEnvironment({ env }: Context): void {
  const why = whyFailpoints(env)
  if (why !== undefined) throw new Failure('environment', why)
  loadSealKey(env)
  loadVariable(env, 'PINGZHANG_PUBLIC_URL')
  loadVariable(env, 'PINGZHANG_POINTS_URL')
}

/** Resolves at the first signal. A second one finds no listener and ends the process at once. */
function stopSignal(): Promise<'signal'> {
  const { promise, resolve } = Promise.withResolvers<'signal'>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('signal'))
  return promise
}

async function openDatabaseServer({ env }: Context, { data }: UpOptions) {
  try {
    return await openPostgres(env, { dataDirectory: data })
  } catch (error) {
    const message = error instanceof Error ? error.message : 'no reason given'
    throw new Failure('environment', `PostgreSQL does not start: ${message}`)
  }
}

interface Run {
  readonly options: UpOptions
  readonly databaseUrl: string
  readonly stop: Promise<'signal'>
}

async function runProcesses(context: Context, run: Run): Promise<void> {
  const env = { ...context.env, DATABASE_URL: run.databaseUrl }
  const tell = (line: string): void => console.error(line)
  const processes = [runProcess('gateway', env, tell), runProcess('worker', env, tell)]
  const first = Promise.race([run.stop, ...processes.map((child) => child.givenUp)])
  try {
    const gateway = await waitUntilReady(context.env, first)
    if (gateway !== undefined) {
      for (const child of processes) child.keep()
      announce(context, run, gateway)
    }
    const end = await first
    if (end !== 'signal') throw new Failure('environment', `${end}; its last lines above say why`)
  } finally {
    await Promise.all(processes.map((child) => child.stop()))
  }
}

function announce(context: Context, { options, databaseUrl }: Run, gateway: string): void {
  const publicUrl = loadVariable(context.env, 'PINGZHANG_PUBLIC_URL')
  const database = new URL(databaseUrl)
  database.password = ''
  report(context, options, {
    json: { gateway, public_url: publicUrl, database: database.href },
    text: `gateway  ${gateway}\npublic   ${publicUrl}\ndatabase ${database.href}\nCtrl-C stops all`,
  })
}
