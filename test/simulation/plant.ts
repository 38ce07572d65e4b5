import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PLANT } from './plant-name.ts'
import { PLANTED_BUGS } from './planted.ts'

// Loaded before `play.ts`: puts the bug that the environment names into the modules of this process. No file is
// changed, and no other process has the bug.

const root = fileURLToPath(new URL('../../', import.meta.url))
const bug = PLANTED_BUGS.find(({ name }) => name === process.env[PLANT])
if (bug === undefined) throw new Error(`no bug is called ${process.env[PLANT]}`)

for (const path of new Set(bug.changes.map((change) => change.path))) {
  const full = `${root}${path}`
  let contents = readFileSync(full, 'utf8')
  for (const { find, replace } of bug.changes.filter((change) => change.path === path)) {
    const pieces = contents.split(find)
    if (pieces.length !== 2)
      throw new Error(`expected once in ${path}, found ${pieces.length - 1}: ${find}`)
    contents = pieces.join(replace)
  }
  const filter = new RegExp(`${RegExp.escape(full)}$`)
  await Bun.plugin({
    name: `planted in ${path}`,
    setup: (build) => void build.onLoad({ filter }, () => ({ contents, loader: 'ts' })),
  })
}
