import { z } from 'zod'

const storedSchema = z.looseObject({ user_id: z.string(), points: z.number() })
const balanceSchema = z.looseObject({ balance: z.number() })

const USER = 'contract-user'
const POINTS = 7

/**
 * What the platform counts on in a points system, tried over HTTP. Names every promise that is not kept.
 *
 * A system that ignores the key cannot be used as it is: every answer that is lost would give points twice.
 */
export async function findBreaches(baseUrl: string): Promise<readonly string[]> {
  const breaches: string[] = []
  const key = `contract-${crypto.randomUUID()}`
  const put = (points = POINTS): Promise<Response> =>
    fetch(`${baseUrl}/grant/${key}`, {
      method: 'PUT',
      body: JSON.stringify({ user_id: USER, points }),
    })
  const before = await balanceOf(baseUrl)
  await Promise.all([put(), put(), put()])
  await put()
  const moved = (await balanceOf(baseUrl)) - before
  if (moved !== POINTS) {
    breaches.push(
      `the key is ignored: 4 requests moved ${moved} points in place of ${POINTS}; it must be queried before each retry`,
    )
  }
  if ((await put(POINTS + 1)).status !== 409)
    breaches.push('other values under a known key: no 409')
  const read = storedSchema.safeParse(await (await fetch(`${baseUrl}/grant/${key}`)).json())
  if (!read.success || read.data.points !== POINTS || read.data.user_id !== USER) {
    breaches.push('a key cannot be read back with its values')
  }
  const missing = await fetch(`${baseUrl}/grant/${key}-unknown`)
  if (missing.status !== 404) breaches.push('an unknown key is not 404')
  return breaches
}

async function balanceOf(baseUrl: string): Promise<number> {
  const answer = await fetch(`${baseUrl}/users/${USER}`)
  return balanceSchema.parse(await answer.json()).balance
}
