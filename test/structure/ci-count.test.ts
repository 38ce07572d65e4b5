import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// The addition of counts that `.ci/run` ends with.

const COUNT = fileURLToPath(new URL('../../.ci/count', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-count-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

type Run = readonly [status: number, log: string]

function count(runs: readonly Run[]) {
  const words = runs.flatMap(([status, log], index) => {
    const path = join(directory, String(index))
    writeFileSync(path, log)
    return [String(status), path]
  })
  const { stdout, exitCode } = Bun.spawnSync([COUNT, ...words])
  return { text: stdout.toString(), exitCode }
}

const GOOD: Run = [0, 'tests: 7 passed, 0 failed (1.0 s)\n7 passed, 0 failed\n']

test.each<[string, readonly Run[], string, number]>([
  ['one run', [GOOD], '7 passed, 0 failed\n', 0],
  ['two runs', [GOOD, [0, 'x\n30 passed, 0 failed\n']], '37 passed, 0 failed\n', 0],
  ['lines of npm after ours', [[1, '5 passed, 2 failed\nnpm error\n']], '5 passed, 2 failed\n', 1],
  [
    'the skipped',
    [GOOD, [0, '1 passed, 0 failed, 3 skipped\n']],
    '8 passed, 0 failed, 3 skipped\n',
    0,
  ],
  ['a failure of the second', [GOOD, [1, '3 passed, 2 failed\n']], '10 passed, 2 failed\n', 1],
  ['a failure of the first', [[1, '3 passed, 2 failed\n'], GOOD], '10 passed, 2 failed\n', 1],
  ['a run that died', [GOOD, [137, 'FAILED a cell\n']], '7 passed, 1 failed\n', 1],
  ['a run that died silently', [GOOD, [0, '']], '7 passed, 1 failed\n', 1],
  [
    'a status that says more than the line',
    [GOOD, [1, '3 passed, 0 failed\n']],
    '10 passed, 1 failed\n',
    1,
  ],
  [
    'the last of several lines',
    [[0, '1 passed, 0 failed\n9 passed, 0 failed\n']],
    '9 passed, 0 failed\n',
    0,
  ],
])('counts %s', (_what, runs, text, exitCode) => {
  expect(count(runs)).toEqual({ text, exitCode })
})
