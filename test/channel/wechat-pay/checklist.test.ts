import { expect, test } from 'bun:test'
import { CHECKLIST_LINES, CHECKLIST_NOT_HERE } from './checklist-not-here.ts'

const NAME = /wechatpay checklist (\d+): /g

async function testedLines(): Promise<ReadonlySet<number>> {
  const lines = new Set<number>()
  for await (const file of new Bun.Glob('*.test.ts').scan(import.meta.dir)) {
    if (file === 'checklist.test.ts') continue
    const text = await Bun.file(`${import.meta.dir}/${file}`).text()
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
