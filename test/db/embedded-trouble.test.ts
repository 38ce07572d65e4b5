import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findBinaries, repairLinks } from '#db/embedded/binaries'
import { tryLock } from '#db/embedded/lock'
import { serversIn } from '#db/embedded/process'
import { waitFor } from '../support/wait.ts'

// The machine is not as we would like it: what we say then, or how we go on.

const directory = mkdtempSync(join(tmpdir(), 'pingzhang-trouble-'))
const at = (name: string): string => join(directory, name)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const modulePath = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url))

const errorOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => String(error),
  )

describe('the binaries', () => {
  test('that cannot be run are named', async () => {
    expect(await errorOf(findBinaries(at('nowhere')))).toContain(`cannot run ${at('nowhere')}`)
  })

  test('of a platform without a package: it says what to set', async () => {
    const { arch } = process
    Object.defineProperty(process, 'arch', { value: 'pdp11' })
    const error = await errorOf(findBinaries(undefined))
    Object.defineProperty(process, 'arch', { value: arch })
    expect(error).toMatch(/pdp11 is not installed; set DATABASE_URL .* or PINGZHANG_PG_BIN/)
  })

  test('a library link that cannot be made is named', async () => {
    mkdirSync(at('native'))
    const links = [{ source: 'native/lib/a.so.1', target: 'native/missing/a.so' }]
    writeFileSync(at('native/pg-symlinks.json'), JSON.stringify(links))
    expect(await errorOf(repairLinks(directory))).toContain(
      `cannot create the library link ${at('native/missing/a.so')}`,
    )
  })
})

test('without setpriv and unshare it goes on as it can, or says that root cannot', () => {
  const find = `
    const { findLauncher } = await import(${JSON.stringify(modulePath('db/embedded/launcher.ts'))})
    const found = await findLauncher('/bin/true', '/tmp').catch((error) => [String(error)])
    console.log(found.join(' '))`
  const output = Bun.spawnSync([process.execPath, '-e', find], { env: { PATH: at('empty') } })
  expect(output.stderr.toString()).toBe('')
  const found = output.stdout.toString().trim()
  if (process.getuid?.() === 0) expect(found).toContain('PostgreSQL does not run as root')
  else expect(found).toBe('')
})

test('a lock file that is no lock is an error, not "taken"', () => {
  writeFileSync(at('lock'), 'this is no database, and long enough to be seen as none'.repeat(20))
  expect(() => tryLock(at('lock'))).toThrow('not a database')
})

test.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
  'a server of another user, whose directory we may not see, is not ours',
  async () => {
    // A program called postgres, run by root and looked at by nobody.
    copyFileSync(Bun.which('sleep') ?? '/bin/sleep', at('postgres'))
    chmodSync(at('postgres'), 0o755)
    const server = Bun.spawn([at('postgres'), '60'], { cwd: directory })
    await waitFor('the server', () =>
      serversIn(directory).includes(server.pid) ? true : undefined,
    )
    const look = `
      const { serversIn } = await import(${JSON.stringify(modulePath('db/embedded/process.ts'))})
      console.log(serversIn(${JSON.stringify(directory)}).length)`
    const output = Bun.spawnSync([
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      '-e',
      look,
    ])
    server.kill('SIGKILL')
    expect(output.stderr.toString()).toBe('')
    expect(output.stdout.toString().trim()).toBe('0')
  },
)
