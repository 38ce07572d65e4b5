import { sql } from 'kysely'
import { z } from 'zod'
import { assert } from '#domain/assert'
import { lineUpBehind } from '../../support/line-up.ts'
import type { Model, ModelOrder, Place } from '../model.ts'
import { newAttempt, promisedMinor } from '../model.ts'
import type { World } from '../world.ts'
import { command, hasAttempt, pick, pickPlace } from './command.ts'
import type { Command } from './command.ts'

// What the shop's backend asks of the merchant API.

const ORDERS_MAX = 3
const found = z.object({ id: z.string(), state: z.string() })
const problem = z.object({ code: z.string() })

export const create = (order: number, method: string, amount: number): Command =>
  command({
    name: 'create',
    words: `order ${order}, ${method}, ${amount}`,
    async run(model, { world }) {
      const wanted = model.orders[order % ORDERS_MAX] ?? newOrder(model, world, amount)
      const shop = world.shop()
      const body = shop.bodyOf({ ...wanted, orderNumber: wanted.number, method })
      const response = await persist((key) => shop.post(body, key))
      if (!response.ok) {
        const { code } = problem.parse(await response.json())
        const isOver = wanted.isCloseWanted || wanted.attempts.some(({ isPaid }) => isPaid)
        assert(code === 'order_not_payable' && isOver, `create answered ${code}`)
        return false
      }
      const { id } = found.parse(await response.json())
      const isNew = wanted.attempts.every((attempt) => attempt.id !== id)
      if (isNew) wanted.attempts.push(newAttempt(id))
      assert(isNew === (response.status !== 200) || response.status === 202, 'a new one is a 201')
      return isNew
    },
  })

function newOrder(model: Model, { merchantId }: World, amount: number): ModelOrder {
  const name = `${merchantId}-${model.orders.length}`
  const order = { number: name, userId: name, amount, isCloseWanted: false, attempts: [] }
  model.orders.push(order)
  return order
}

/** "Not done; try again" is what a machine answers that has too much to do: a shop does so, under its key. */
const TRIES_MAX = 5

async function persist(send: (key: string) => Promise<Response>): Promise<Response> {
  const key = crypto.randomUUID()
  for (let attempt = 1; ; attempt += 1) {
    const response = await send(key)
    if (response.status !== 503 || attempt === TRIES_MAX) return response
    const { code } = problem.parse(await response.clone().json())
    if (code !== 'unavailable') return response
  }
}

const ask = (world: World, path: string, body?: unknown): Promise<Response> =>
  persist((key) =>
    fetch(`${world.gatewayUrl()}${path}`, {
      method: 'POST',
      headers: { ...world.shop().headers, 'idempotency-key': key },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  )

export const close = (number: number): Command =>
  command({
    name: 'close',
    words: String(number),
    check: hasAttempt,
    async run(model, { world }) {
      const { attempt } = pickPlace(model, number)
      const response = await ask(world, `/v1/payments/${attempt.id}/close`)
      const body: unknown = await response.json()
      if (!response.ok) {
        const { code } = problem.parse(body)
        const isRight = attempt.isPaid || code === 'close_unknown' || code === 'close_too_early'
        assert(isRight, `close answered ${code}, and nobody has paid`)
        return false
      }
      const { state } = found.parse(body)
      const isWrong = state === 'closed' && attempt.isPaid && !attempt.isPaidLate
      assert(!isWrong, 'closed, and the customer had paid')
      return state === 'closed'
    },
  })

export const closeOrder = (number: number): Command =>
  command({
    name: 'close order',
    words: String(number),
    check: ({ orders }) => orders.length > 0,
    async run(model, { world }) {
      const order = pick(model.orders, number)
      const response = await persist(() => world.shop().closeOrder(order.number))
      const isPaid = order.attempts.some((attempt) => attempt.isPaid)
      assert(response.ok || (response.status === 409 && isPaid), 'an unpaid order can be closed')
      if (response.ok) order.isCloseWanted = true
      return response.ok
    },
  })

export const query = (number: number): Command =>
  command({
    name: 'query',
    words: String(number),
    check: hasAttempt,
    async run(model, { world }) {
      const { attempt } = pickPlace(model, number)
      const response = await ask(world, `/v1/payments/${attempt.id}/query`)
      assert(response.status === 202, `query answered ${response.status}`)
      return true
    },
  })

/** A share of the whole amount, in percent; a hundred is all of it. */
const shareOf = ({ amount }: ModelOrder, percent: number): number =>
  Math.max(1, Math.floor((amount * percent) / 100))

/** What the model says is left; nothing as long as it is not paid here, or the policy gives it back. */
async function availableNow(world: World, { policy }: Model, place: Place): Promise<number> {
  const { state, disposition } = await world.shop().read(place.attempt.id)
  const isGivenBack = policy === 'refund' && disposition !== 'counted'
  assert(state !== 'paid' || place.attempt.isPaid, 'paid, and nobody has paid')
  return state === 'paid' && !isGivenBack ? place.order.amount - promisedMinor(place.attempt) : 0
}

export const refund = (number: number, percent: number): Command =>
  command({
    name: percent === 100 ? 'refund all' : 'refund part',
    words: `${number}, ${percent} %`,
    check: hasAttempt,
    async run(model, { world }) {
      const place = pickPlace(model, number)
      const amount = shareOf(place.order, percent)
      const available = await availableNow(world, model, place)
      const isTaken = await askRefund(world, place, amount)
      assert(isTaken === amount <= available, `refund of ${amount}, ${available} left: ${isTaken}`)
      return isTaken
    },
  })

/** False: too little is left. */
async function askRefund(world: World, { attempt }: Place, amount: number): Promise<boolean> {
  const response = await ask(world, `/v1/payments/${attempt.id}/refunds`, { amount })
  const body: unknown = await response.json()
  if (response.status === 202) {
    attempt.refunds.set(found.parse(body).id, amount)
    return true
  }
  const { code } = problem.parse(body)
  assert(code === 'not_refundable', `refund answered ${code}`)
  return false
}

/** Both meet at the order's and the payment's rows, and go on at the same moment. */
export const refundTwice = (number: number, first: number, second: number): Command =>
  command({
    name: 'two refunds at once',
    words: `${number}, ${first} % and ${second} %`,
    check: hasAttempt,
    async run(model, { world }) {
      const place = pickPlace(model, number)
      const amounts = [shareOf(place.order, first), shareOf(place.order, second)]
      const available = await availableNow(world, model, place)
      const isTaken = new Map<number, boolean>()
      const ends = await lineUpBehind(
        world.db,
        (trx) =>
          sql`SELECT 1 FROM customer_order o JOIN payment p ON p.order_id = o.id
              WHERE p.id = ${place.attempt.id} FOR UPDATE`.execute(trx),
        amounts.map((amount, index) => async () => {
          isTaken.set(index, await askRefund(world, place, amount))
        }),
      )
      const broken = ends.find(({ status }) => status === 'rejected')
      assert(broken === undefined, `a refund ended badly: ${Bun.inspect(broken)}`)
      const sum = amounts.reduce(
        (total, amount, index) => total + (isTaken.get(index) === true ? amount : 0),
        0,
      )
      assert(sum <= available, `two refunds took ${sum}, and ${available} were left`)
      const isLeft = amounts.some(
        (amount, index) => isTaken.get(index) === false && sum + amount <= available,
      )
      assert(!isLeft, `a refund that fits was refused: ${amounts.join(' and ')} of ${available}`)
      return sum > 0
    },
  })
