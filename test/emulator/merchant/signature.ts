import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'

const TOLERANCE_SECONDS = 300
const MS_PER_SECOND = 1000

export type Judgement = 'genuine' | 'no_secret' | 'headers' | 'stale' | 'signature'

const headersSchema = z.object({
  'webhook-id': z.string().min(1),
  'webhook-timestamp': z.string().regex(/^\d{1,12}$/),
  'webhook-signature': z.string().min(1),
})

interface Received {
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

/** Judges a message as a merchant does who follows Standard Webhooks 1.0, "Signature scheme". */
export function judge(received: Received, secrets: readonly string[], now: Date): Judgement {
  if (secrets.length === 0) return 'no_secret'
  const headers = headersSchema.safeParse(received.headers)
  if (!headers.success) return 'headers'
  const {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': list,
  } = headers.data
  const apart = Math.abs(now.getTime() / MS_PER_SECOND - Number(timestamp))
  if (apart > TOLERANCE_SECONDS) return 'stale'
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), received.body])
  const given = list.split(' ').flatMap((item) => {
    const [version, text = ''] = item.split(',')
    return version === 'v1' ? [Buffer.from(text)] : []
  })
  const isGenuine = secrets.some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    const expected = Buffer.from(createHmac('sha256', key).update(signed).digest('base64'))
    return given.some((text) => text.length === expected.length && timingSafeEqual(text, expected))
  })
  return isGenuine ? 'genuine' : 'signature'
}
