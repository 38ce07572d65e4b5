import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { WechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { runChild } from './child.ts'

const merchant = z.object({
  privateKeyPem: z.string(),
  publicKeyPem: z.string(),
  certificateSerial: z.string(),
  apiV3Key: z.string(),
})

const vendor = z.object({
  publicKeyId: z.string(),
  publicKeyPem: z.string(),
  publicKeyPrivatePem: z.string(),
  certificateSerial: z.string(),
  certificatePem: z.string(),
  certificatePrivatePem: z.string(),
})

export const keysSchema = z.object({ merchant, vendor })

/** What one signing process does: its share of the set, written as lines of JSON. */
export const signSchema = z.object({
  keys: keysSchema,
  now: z.coerce.date(),
  from: z.number(),
  count: z.number(),
  path: z.string(),
})

const callbackSchema = z.object({ headers: z.record(z.string(), z.string()), body: z.string() })

export type Callback = z.infer<typeof callbackSchema>

/** Signs distinct callbacks on every core and saves them in one file, whose path it returns. */
export async function signSet(
  directory: string,
  keys: WechatPayKeys,
  now: Date,
  count: number,
): Promise<string> {
  const share = Math.ceil(count / availableParallelism())
  const parts: string[] = []
  for (let from = 0; from < count; from += share) parts.push(join(directory, `part-${from}`))
  await Promise.all(
    parts.map((path, index) => {
      const from = index * share
      const part = { keys, now, from, count: Math.min(share, count - from), path }
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
