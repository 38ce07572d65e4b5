import { expect, test } from 'bun:test'
import { CHECKLIST_LINES, CHECKLIST_NOT_HERE } from './checklist-not-here.ts'

const TEST_FOLDER = `${import.meta.dir}/../..`
const NAME = /alipay checklist (\d+): /g

/** The channel's own tests, and what only the whole platform shows of refunds. */
async function testFiles(): Promise<readonly string[]> {
  const files: string[] = []
  for (const pattern of ['channel/alipay/*.test.ts', 'flow/refund-alipay*.test.ts']) {
    for await (const file of new Bun.Glob(pattern).scan(TEST_FOLDER)) files.push(file)
  }
  return files.filter((path) => !path.endsWith('checklist.test.ts'))
}

async function testedLines(): Promise<ReadonlySet<number>> {
  const lines = new Set<number>()
  for (const path of await testFiles()) {
    const text = await Bun.file(`${TEST_FOLDER}/${path}`).text()
    for (const [, line] of text.matchAll(NAME)) lines.add(Number(line))
  }
  return lines
}

test('every line of the checklist is a test, or has a reason not to be one here', async () => {
  const tested = await testedLines()
  const missing: number[] = []
  for (let line = 1; line <= CHECKLIST_LINES; line += 1) {
    if (!tested.has(line) && CHECKLIST_NOT_HERE[line] === undefined) missing.push(line)
  }
  expect(missing).toEqual([])
})

test('no line has both a test and a reason against it', async () => {
  const tested = await testedLines()
  expect(Object.keys(CHECKLIST_NOT_HERE).filter((line) => tested.has(Number(line)))).toEqual([])
})
