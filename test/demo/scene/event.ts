import { z } from 'zod'
import { waitFor } from '../../support/wait.ts'
import type { EventLine } from '../line.ts'
import type { Narrator } from '../narrator.ts'
import type { Stage } from '../stage.ts'
import { PATIENCE_MS, playPurchase, readLine } from './play.ts'
import type { Sale } from './play.ts'

const addedSchema = z.object({ secret: z.string() })
const eventSchema = z.looseObject({ id: z.string(), subject: z.string() })
type Event = z.infer<typeof eventSchema>
const deliverySchema = z.looseObject({ state: z.string(), attempts: z.number() })
const pageSchema = z.object({
  data: z.array(eventSchema),
  next_cursor: z.string().nullable(),
})

/** The shop names an address of its own, and keeps the secret by which it knows us. */
export async function listen(stage: Stage): Promise<void> {
  const response = await stage.shop.call('/v1/event_endpoints', {
    method: 'POST',
    headers: stage.shop.headers,
    body: JSON.stringify({ url: stage.merchant.url }),
  })
  stage.merchant.setSecrets([addedSchema.parse(await response.json()).secret])
}

/** The shop's own system is away when a customer pays, and comes back. */
export async function playMerchantAway(stage: Stage, say: Narrator): Promise<Sale> {
  say.step("the shop's own system is down when a customer pays, and comes back")
  stage.merchant.setKnobs({ mode: 'status', status: 503 })
  const userId = 'buyer-unheard'
  const purchase = { vendor: 'wechat-pay', method: 'qr', amount: 1100, userId } as const
  const sale = await playPurchase(stage, purchase)
  const { id } = sale.payment
  await waitFor(
    `an event of ${id} that is refused`,
    () => stage.merchant.arrivals().find(({ body }) => body.includes(id)),
    PATIENCE_MS,
  )
  const before = acceptedOf(stage, id)
  stage.merchant.setKnobs({ mode: 'ok' })
  await waitFor(`the event of ${id}`, () => acceptedOf(stage, id) || undefined, PATIENCE_MS)
  const { state } = await readLine(stage, sale)
  const isGood = before === 0 && acceptedOf(stage, id) === 1 && state === 'paid'
  say.check('the event was refused, sent again, and accepted once', isGood)
  return sale
}

const acceptedOf = (stage: Stage, id: string): number =>
  stage.merchant.accepted().filter(({ body }) => body.includes(id)).length

/**
 * What became of everything that there was to tell: by the merchant API, and by what the shop's system has
 * accepted, which checks every signature.
 */
export async function readEvents(stage: Stage, say: Narrator): Promise<EventLine> {
  const { delivered, dead, accepted } = await waitFor(
    'no event to be on its way',
    async () => {
      const events = await readAll(stage)
      const found = count(stage, await deliveryStates(stage, events))
      // The API shows an event a moment after its commit, and after the shop may have heard it.
      const isWhole = (await unheard(stage, events)).length === 0
      return isWhole && found.pending === 0 && found.delivered >= found.accepted ? found : undefined
    },
    PATIENCE_MS,
  )
  const strange = stage.merchant.arrivals().filter(({ judgement }) => judgement !== 'genuine')
  say.check(
    `${delivered} events delivered, ${dead} dead; the shop's system has accepted ${accepted}`,
    dead === 0 && delivered === accepted && delivered > 0 && strange.length === 0,
  )
  return { delivered, dead }
}

function count(stage: Stage, states: readonly string[]) {
  const of = (wanted: string): number => states.filter((state) => state === wanted).length
  return {
    pending: of('pending'),
    delivered: of('delivered'),
    dead: of('dead'),
    accepted: stage.merchant.accepted().length,
  }
}

/** Payments that are paid and have no event yet. */
async function unheard(stage: Stage, events: readonly Event[]): Promise<readonly string[]> {
  const paid = await stage.shop.list(
    '/v1/payments?state=paid&limit=100',
    z.object({ id: z.string() }),
  )
  const told = new Set(events.map(({ subject }) => subject))
  return paid.map(({ id }) => id).filter((id) => !told.has(id))
}

async function deliveryStates(stage: Stage, events: readonly Event[]): Promise<readonly string[]> {
  const found = await Promise.all(
    events.map(({ id }) => stage.shop.list(`/v1/events/${id}/deliveries`, deliverySchema)),
  )
  return found.flatMap((deliveries) => deliveries.map(({ state }) => state))
}

async function readAll(stage: Stage): Promise<readonly Event[]> {
  const all: Event[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `?cursor=${cursor}`
    const response = await stage.shop.call(`/v1/events${query}`, { headers: stage.shop.headers })
    const page = pageSchema.parse(await response.json())
    all.push(...page.data)
    cursor = page.next_cursor
  } while (cursor !== null)
  return all
}
