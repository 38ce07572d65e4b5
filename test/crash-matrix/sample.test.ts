import { beforeAll, describe, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import { seedFrom } from '../flow/crash/random.ts'
import { makeCells, sampleCells } from './cell.ts'

// A sample of the crash matrix, another one with each seed. `npm run crash-matrix` runs all of it.

const CELLS = 32
const LANES = 5
const RUN_MS_MAX = 400_000
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Runs the matrix as `npm run crash-matrix` does, in a process of its own with a PostgreSQL of its own. */
async function runMatrix(words: readonly string[], seed: number): Promise<string[]> {
  const child = Bun.spawn([process.execPath, 'test/crash-matrix/main.ts', '--verbose', ...words], {
    cwd: ROOT,
    env: { ...process.env, PINGZHANG_SEED: String(seed) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = await new Response(child.stdout).text()
  await child.exited
  return output.split('\n').filter((line) => line !== '')
}

const PLANTED = 'sale gateway callback.insert:before exit'
const PLANTED_GATEWAY = 'test/flow/crash/early-acknowledge.ts'

const seed = seedFrom(process.env['PINGZHANG_SEED'])
const cells = sampleCells(makeCells(), CELLS, seed)
let lines: readonly string[] = []
let planted: readonly string[] = []

beforeAll(async () => {
  const sampled = runMatrix(['--sample', String(CELLS), '--lanes', String(LANES)], seed)
  planted = await runMatrix(['--gateway', PLANTED_GATEWAY, PLANTED], seed)
  lines = await sampled
}, RUN_MS_MAX)

describe('F78 a process broken at a failpoint: nothing is lost and nothing happens twice', () => {
  test.each(cells.map(({ name }) => name))('%s', (name) => {
    const line = lines.find((text) => text.replace(/^(passed|FAILED) /, '').startsWith(`${name} `))
    expect(line).toStartWith(`passed ${name} `)
  })

  test('and the counts say the same', () => {
    expect(lines[0]).toBe(`crash matrix: ${CELLS} cells, PINGZHANG_SEED=${seed}`)
    expect(lines.at(-1)).toBe(`${CELLS} passed, 0 failed`)
  })
})

describe('the matrix', () => {
  test('sees a planted gateway that acknowledges before it has stored, and says how to repeat the cell', () => {
    const [failed, ...others] = planted.filter((line) => line.startsWith('FAILED'))
    expect(failed).toStartWith(`FAILED ${PLANTED} `)
    expect(failed).toMatch(/ I1 evt:\S+: acknowledged, but there is no row/)
    expect(others).toEqual([])
    expect(planted).toContain(`repeat one with: npm run crash-matrix -- 'ITS NAME'`)
    expect(planted.at(-1)).toBe('0 passed, 1 failed')
  })

  test('counts a filter that finds no cell as a failure', async () => {
    const found = await runMatrix(['no such cell'], seed)
    expect(found.at(-1)).toBe('0 passed, 1 failed')
  })
})
