import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CAN_FAIL, around, hit } from '#domain/failpoint-empty'
import { CONTROL, arm, hasFired } from '../failpoint/control.ts'
import { POINTS } from '../flow/failpoint/point.ts'
import { withoutComments } from './side-effect.ts'
import { readSources } from './source.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-failpoint-'))
const control = join(directory, 'control')
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const production = readSources().filter(({ path }) => !path.startsWith('test/'))

describe('production has no failpoints', () => {
  const USE = `
    import { hit } from '#failpoint'
    hit('callback.commit:before')
    console.log(import.meta.resolve('#failpoint').split('/').at(-1))`

  /** Runs a use of `#failpoint` as a process of its own, with a point armed that would kill it. */
  async function use(flags: readonly string[], env: Readonly<Record<string, string>> = {}) {
    arm(control, ['callback.commit:before', 'exit'])
    const child = Bun.spawn([process.execPath, ...flags, '-e', USE], {
      cwd: root,
      env: { PATH: process.env['PATH'], [CONTROL]: control, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const output = await new Response(child.stdout).text()
    await child.exited
    return { module: output.trim(), signal: child.signalCode, hasFired: hasFired(control) }
  }

  test('it resolves the empty module, and an armed point does nothing', async () => {
    const empty = { module: 'failpoint-empty.ts', signal: null, hasFired: false }
    expect(await use([])).toEqual(empty)
    expect(await use([], { NODE_ENV: 'test' })).toEqual(empty)
    expect(await use(['--conditions=production'])).toEqual(empty)
  })

  test('only the condition `test` replaces it', async () => {
    expect(await use(['--conditions=test'])).toEqual({
      module: '',
      signal: 'SIGKILL',
      hasFired: true,
    })
  })

  test('the empty module is empty, and loads nothing', () => {
    const file = production.find(({ path }) => path === 'domain/failpoint-empty.ts')
    expect(file?.text.match(/^import (?!type )/gm)).toBeNull()
    expect(hit.toString()).toMatch(/^function hit\(_name\) \{\s*\}$/)
    expect(around.toString()).toBe('(_effect, work) => work()')
    expect(CAN_FAIL).toBe(false)
  })

  test('nothing that starts our processes sets a condition', () => {
    const started = [...production, ...['package.json', 'bunfig.toml', '.ci/run'].map(readAt)]
    const odd = started.filter(({ text }) => /--conditions|BUN_OPTIONS/.test(text))
    expect(odd.map(({ path }) => path)).toEqual([])
    expect(JSON.parse(readAt('package.json').text).imports['#failpoint']).toEqual({
      test: './test/failpoint/armed.ts',
      default: './domain/failpoint-empty.ts',
    })
  })
})

const readAt = (path: string) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') })

describe('the table of failpoints', () => {
  const all = (pattern: RegExp): string[] =>
    production.flatMap(({ text }) =>
      [...withoutComments(text).matchAll(pattern)].map((match) => match[1] ?? ''),
    )
  const effects = [...all(/\baround\(\s*'([^']+)',/g), ...all(/\bcommit\(\s*[\w.]+,\s*'([^']+)',/g)]
  const hits = [
    ...all(/^\s*hit\('([^']+)'\)$/gm),
    ...effects.flatMap((effect) => [`${effect}:before`, `${effect}:after`]),
  ]

  test('names every point of the code once, and the code has every point of the table', () => {
    expect(hits.toSorted()).toEqual(POINTS.map(({ name }) => String(name)).toSorted())
  })

  test.each(['gateway/route/callback.ts', 'gateway/intake.ts', 'db/notification/notification.ts'])(
    'has a point before, between and after all awaits of %s',
    (path) => {
      const text = production.find((source) => source.path === path)?.text ?? ''
      expect(bareAwaits(text)).toEqual([])
    },
  )

  test.each([
    ["hit('a')\nawait one()\nhit('b')\n", 0],
    ["hit('a')\nawait one()\nawait two()\nhit('b')\n", 2],
    ["await one()\nhit('b')\n", 1],
    ["hit('a')\nawait one()\n", 1],
    ["hit('a')\n// They await us.\nawait one()\nhit('b')\n", 0],
  ])('sees an await without a point: %p', (text, count) => {
    expect(bareAwaits(text).length).toBe(count)
  })
})

/** Awaits of our own functions, whose insides have points of their own. */
const INSIDE = /^(insertRows|sendJobs|storeConflicts|storeApart|commit\(batch)\b/

/** Awaits that are not between two points: in each stretch from one await to the next there is a hit. */
function bareAwaits(text: string): string[] {
  const code = text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  const awaits = code.split(/\bawait /)
  return awaits.slice(1).flatMap((after, index) => {
    const call = /^[\w.(]*/.exec(after)?.[0] ?? ''
    const isBetween = hasHit(awaits[index] ?? '') && hasHit(after)
    return isBetween || INSIDE.test(call) ? [] : [call]
  })
}

const hasHit = (text: string): boolean => /\bhit\('/.test(text)
