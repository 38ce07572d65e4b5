import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readSources } from './source.ts'

const sources = readSources()

const LINES_MAX = 300
const VENDOR_FILES =
  'index signature wire wire-refund callback payment prepare list refund bill call settings key bill-read bill-cell bill-summary wire-bill wire-fund'.split(
    ' ',
  )
const FORBIDDEN_NAMES = /(^|\/)(utils?|helpers?|common|manager|service)(\/|\.tsx?$)/

test('finds our files', () => {
  expect(sources.length).toBeGreaterThan(10)
})

test('no file is longer than a reader can hold', () => {
  const long = sources.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX)
  expect(long.map(({ path }) => path)).toEqual([])
})

test('names are kebab-case and say what is inside', () => {
  const odd = sources.filter(
    ({ path }) => !/^[a-z0-9-]+(\/[a-z0-9.-]+)+$/.test(path) || FORBIDDEN_NAMES.test(path),
  )
  expect(odd.map(({ path }) => path)).toEqual([])
})

test('no file only hands on what others export', () => {
  const barrels = sources.filter(({ path, text }) => isBarrel(path, text))
  expect(barrels.map(({ path }) => path)).toEqual([])
})

test('every vendor folder has the same file names', () => {
  const odd = sources
    .map(({ path }) => path)
    .filter((path) => path.startsWith('channel/') && path.split('/').length > 2)
    .filter((path) => !VENDOR_FILES.includes(path.split('/').slice(2).join('/').replace('.ts', '')))
  expect(odd).toEqual([])
})

test('the lock file and the sources name no host or path of one machine', () => {
  const lock = readFileSync(fileURLToPath(new URL('../../bun.lock', import.meta.url)), 'utf8')
  const files = [...sources, { path: 'bun.lock', text: lock }]
  const odd = files.filter(({ text }) => MACHINE.test(text))
  expect(odd.map(({ path }) => path)).toEqual([])
})

test.each([
  'http' + '://127.0.0.1:4873/x.tgz',
  '/ho' + 'me/ann/pay',
  'https' + '://npm.corp/x.tgz',
])('calls %p a trace of one machine', (text) => {
  expect(MACHINE.test(text)).toBe(true)
})

/** Home directories, and packages from anywhere: the public registry is left out of a lock file. */
const MACHINE = /\/(home|Users|root|work)\/[a-z][\w.-]*\/|https?:\/\/[^\s"']+\.tgz/

const EXPORT_FROM = /^export (type )?(\*|\{[^}]*\}) (as \w+ )?from '[^']+'$/gm

/** Only a vendor's door may be called `index.ts`, and even that has code of its own. */
function isBarrel(path: string, text: string): boolean {
  if (path.endsWith('/index.ts') && !/^channel\/[^/]+\/index\.ts$/.test(path)) return true
  const handedOn = text.match(EXPORT_FROM) ?? []
  const own = text.match(/^export (?!type \{|\{|\*)/gm) ?? []
  return handedOn.length > 0 && own.length === 0
}
