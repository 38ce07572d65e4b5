import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A file of the repository: its path from the root, with `/`, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** All our TypeScript, sorted by path. */
export function readSources(): Source[] {
  const glob = new Bun.Glob('{domain,channel,db,gateway,worker,cli,test}/**/*.{ts,tsx}')
  return [...glob.scanSync({ cwd: root })]
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }))
}
