import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { runChild } from './child.ts'
import { callbackSchema } from './vendor/vendor.ts'
import type { Callback } from './vendor/vendor.ts'

/** What one signing process does: its share of the set, written as lines of JSON. */
export const signSchema = z.object({
  vendor: z.string(),
  keys: z.unknown(),
  now: z.coerce.date(),
  from: z.number(),
  count: z.number(),
  path: z.string(),
})

/** Whose callbacks, and of which moment. */
export interface SetWish {
  readonly vendor: string
  readonly keys: unknown
  readonly now: Date
  readonly count: number
}

/** Signs distinct callbacks on every core and saves them in one file, whose path it returns. */
export async function signSet(directory: string, { count, ...wish }: SetWish): Promise<string> {
  const share = Math.ceil(count / availableParallelism())
  const parts: string[] = []
  for (let from = 0; from < count; from += share) parts.push(join(directory, `part-${from}`))
  await Promise.all(
    parts.map((path, index) => {
      const from = index * share
      const part = { ...wish, from, count: Math.min(share, count - from), path }
      return runChild('sign.ts', part, z.number())
    }),
  )
  const path = join(directory, 'callbacks')
  const texts = await Promise.all(parts.map((part) => Bun.file(part).text()))
  await Bun.write(path, texts.join(''))
  return path
}

/** Reads a set back. */
export async function readSet(path: string): Promise<Callback[]> {
  const lines = (await Bun.file(path).text()).trimEnd().split('\n')
  return lines.map((line) => callbackSchema.parse(JSON.parse(line)))
}
