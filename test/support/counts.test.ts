import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addCounts, formatCounts, readCounts } from './counts.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pingzhang-counts-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function read(text: string) {
  const path = join(directory, 'junit.xml')
  await Bun.write(path, text)
  return readCounts(path)
}

const HEAD =
  '<testsuites name="bun test" tests="9" assertions="3" failures="2" skipped="1" time="1">'

test('reads what passed from what did not', async () => {
  expect(await read(`${HEAD}</testsuites>\n`)).toEqual({ passed: 6, failed: 2, skipped: 1 })
})

test('does not believe a report that was cut off, or is not there', async () => {
  expect(await read(HEAD)).toBeUndefined()
  expect(await read('')).toBeUndefined()
  expect(await readCounts(join(directory, 'missing.xml'))).toBeUndefined()
})

test('prints the skipped only if there are any', () => {
  const some = { passed: 1, failed: 0, skipped: 0 }
  expect(formatCounts(some)).toBe('1 passed, 0 failed')
  expect(formatCounts(addCounts(some, { passed: 0, failed: 2, skipped: 3 }))).toBe(
    '1 passed, 2 failed, 3 skipped',
  )
})
