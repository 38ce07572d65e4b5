import { describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { atSecond, paymentId } from '../support.ts'
import { app, paid, reference, signedAt, testKeys, vendorNumber, vendorPayment } from './support.ts'
import { listOf, refusal, signed, startVendor } from './vendor.ts'
import type { Heard, Reply } from './vendor.ts'

const known = { ...reference, channelPaymentId: vendorNumber }

async function query(
  replies: readonly Reply[],
  payment: typeof reference = known,
  setup: Parameters<typeof startVendor>[1] = {},
) {
  await using vendor = startVendor(replies, setup)
  const outcome = await vendor.channel.queryPayment(payment, vendor.record)
  return { outcome, vendor }
}

describe('with the vendor number', () => {
  test('it is retrieved', async () => {
    const { outcome, vendor } = await query([() => signed(200, vendorPayment(paid))])
    expect(outcome).toMatchObject({
      kind: 'found',
      facts: {
        paymentNumber: paymentId,
        identity: { app },
        vendorState: 'success',
        vendorProduct: 'alipay_qr',
        channelPaymentId: vendorNumber,
        walletPaymentId: paid.transaction_no,
        amountMinor: 12_800n,
        currency: 'CNY',
        paidAt: new Date((signedAt + 5) * 1000),
      },
    })
    expect(vendor.heard.map(({ method, target }) => `${method} ${target}`)).toEqual([
      `GET /v1/charges/${vendorNumber}`,
    ])
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['query'])
  })

  test.each([
    [{}, 'not_yet'],
    [{ ...paid, refunded: true }, 'success'],
    [{ ...paid, reversed: true }, 'money_moved'],
    [{ failure_code: 'channel_unexpected_error' }, 'not_yet'],
  ] as const)('%p is %s', async (changes, vendorState) => {
    const { outcome } = await query([() => signed(200, vendorPayment(changes))])
    expect(outcome).toMatchObject({ kind: 'found', facts: { vendorState } })
  })

  test('404 about the id is absent', async () => {
    const { outcome } = await query([() => refusal(404, { param: 'id' })])
    expect(outcome).toEqual({ kind: 'absent', code: 'invalid_request_error', isSigned: false })
  })

  test.each<readonly [string, Reply]>([
    ['404 about something else', () => refusal(404)],
    ['404 of a path', () => new Response('', { status: 404 })],
    ['400 about the id', () => refusal(400, { param: 'id' })],
    ['401', () => refusal(401)],
    ['403', () => refusal(403)],
    ['429', () => refusal(429)],
    ['500', () => refusal(500)],
    ['no signature', () => Response.json(vendorPayment(paid))],
    ['another order', () => signed(200, vendorPayment({ ...paid, order_no: 'another' }))],
    ['another id', () => signed(200, vendorPayment({ ...paid, id: 'ch_other' }))],
    ['another mode', () => signed(200, vendorPayment({ ...paid, livemode: false }))],
    ['another document', () => signed(200, '{"a":1}')],
    ['too much', () => signed(200, vendorPayment({ description: 'x'.repeat(1_100_000) }))],
  ])('is unknown after %s', async (_name, reply) => {
    const { outcome, vendor } = await query([reply])
    expect(outcome.kind).toBe('unknown')
    expect(vendor.heard).toHaveLength(1)
  })

  test('a test account reads test payments', async () => {
    const { outcome } = await query(
      [() => signed(200, vendorPayment({ ...paid, livemode: false }))],
      known,
      {
        keys: testKeys,
        settings: { mode: 'test' },
      },
    )
    expect(outcome).toMatchObject({ kind: 'found', facts: { vendorState: 'success' } })
  })
})

const parametersOf = ({ target }: Heard): Record<string, string> =>
  Object.fromEntries(new URL(target, 'https://api.pingxx.com').searchParams)

/** A vendor that lists these payments as documented: newest first, by `created`, page by page. */
function lister(payments: readonly ReturnType<typeof vendorPayment>[]): Reply {
  return (heard) => {
    const asked = payments.find(({ id }) => heard.target.endsWith(`/${id}`))
    if (asked !== undefined) return signed(200, asked)
    const parameters = parametersOf(heard)
    const limit = Number(parameters['limit'])
    const matching = payments
      .filter(({ created }) => created >= Number(parameters['created[gte]']))
      .filter(({ created }) => created < Number(parameters['created[lt]']))
      .filter(({ channel }) => channel === (parameters['channel'] ?? channel))
      .toSorted((a, b) => b.created - a.created)
    const after = matching.findIndex(({ id }) => id === parameters['starting_after'])
    const page = matching.slice(after + 1, after + 1 + limit)
    return signed(200, listOf(page, after + 1 + limit < matching.length))
  }
}

const strangers = (count: number, created = signedAt) =>
  Array.from({ length: count }, (_, index) =>
    vendorPayment({ id: `ch_${created}${index}`, order_no: `other${index}`, created }),
  )

describe('without the vendor number', () => {
  test('pingpp checklist 29: it is searched in the list around its creation', async () => {
    const ours = vendorPayment({ ...paid, created: signedAt + 2 })
    const { outcome, vendor } = await query([lister([...strangers(3), ours])], reference)
    expect(outcome).toMatchObject({ kind: 'found', facts: { vendorState: 'success' } })
    const [first] = vendor.heard
    assert(first !== undefined, 'the vendor was asked')
    expect(first.target).toBe(
      `/v1/charges?app%5Bid%5D=${app}&channel=alipay_qr&created%5Bgte%5D=${signedAt - 600}` +
        `&created%5Blt%5D=${signedAt + 60}&limit=100`,
    )
  })

  test('pingpp checklist 37: it is paged through until there is no more', async () => {
    const ours = vendorPayment({ ...paid, created: signedAt - 500 })
    const { outcome, vendor } = await query([lister([...strangers(250), ours])], reference)
    expect(outcome.kind).toBe('found')
    expect(vendor.heard.map((heard) => parametersOf(heard)['starting_after'])).toEqual([
      undefined,
      `ch_${signedAt}99`,
      `ch_${signedAt}199`,
    ])
  })

  test.each([0, 59, 60, 599, 600, 7199, 7200, 14 * 86_400])(
    'it is found %i seconds after our own creation, in a step of its own',
    async (seconds) => {
      const created = signedAt + seconds
      const { outcome, vendor } = await query([lister([vendorPayment({ created })])], reference, {
        at: atSecond(created + 900),
      })
      expect(outcome).toMatchObject({ kind: 'found', facts: { vendorState: 'not_yet' } })
      expect(vendor.heard.length).toBeLessThanOrEqual(5)
    },
  )

  test('the steps leave no second out', async () => {
    const { vendor } = await query([lister([])], reference, {
      at: atSecond(signedAt + 20 * 86_400),
    })
    const steps = vendor.heard.map(parametersOf)
    expect(steps).toHaveLength(4)
    for (const [index, step] of steps.slice(1).entries()) {
      expect(step['created[gte]']).toBe(steps[index]?.['created[lt]'] ?? '')
    }
    expect(Number(steps.at(-1)?.['created[lt]'])).toBe(signedAt + 15 * 86_400)
  })

  test('of two with the same number the paid one counts, wherever it stands', async () => {
    const unpaid = vendorPayment({ id: 'ch_1' })
    for (const created of [signedAt - 1, signedAt + 1, signedAt + 700]) {
      const other = vendorPayment({ ...paid, id: 'ch_2', created })
      const { outcome } = await query([lister([unpaid, other])], reference, {
        at: atSecond(signedAt + 900),
      })
      expect(outcome).toMatchObject({ facts: { channelPaymentId: 'ch_2', vendorState: 'success' } })
    }
  })

  test('an unpaid one is retrieved: the list need not be fresh', async () => {
    const list: Reply = () => signed(200, listOf([vendorPayment()]))
    const isList = ({ target }: Heard): boolean => target.includes('?')
    const after = async (retrieved: Reply) =>
      query([(heard) => (isList(heard) ? list(heard) : retrieved(heard))], reference)
    const fresh = await after(() => signed(200, vendorPayment(paid)))
    expect(fresh.outcome).toMatchObject({ kind: 'found', facts: { vendorState: 'success' } })
    expect(fresh.vendor.heard.at(-1)?.target).toBe(`/v1/charges/${vendorNumber}`)
    expect((await after(() => refusal(404, { param: 'id' }))).outcome.kind).toBe('unknown')
    expect((await after(() => refusal(500))).outcome.kind).toBe('unknown')
  })

  test('in no list it is absent', async () => {
    const { outcome } = await query([lister(strangers(5))], reference)
    expect(outcome).toEqual({ kind: 'absent', code: 'not_in_list', isSigned: true })
  })

  test.each<readonly [string, Reply]>([
    ['an error', () => refusal(500)],
    ['a refusal', () => refusal(404, { param: 'id' })],
    ['too many calls', () => refusal(429)],
    ['no list', () => signed(200, vendorPayment())],
    ['no signature', () => Response.json(listOf([]))],
    ['more behind an empty page', () => signed(200, listOf([], true))],
    ['an item without an id', () => signed(200, listOf([{ order_no: 'x' }]))],
    [
      'ours, which cannot be read',
      () => signed(200, listOf([{ id: 'ch_1', order_no: paymentId }])),
    ],
    ['a list without an end', () => signed(200, listOf(strangers(2), true))],
  ])('never absent, but unknown after %s', async (_name, reply) => {
    const { outcome } = await query([reply], reference)
    expect(outcome.kind).toBe('unknown')
  })

  test('a gap in the pages is unknown, also with an unpaid one in hand', async () => {
    const first = listOf([vendorPayment({ id: 'ch_1' })], true)
    const { outcome } = await query([() => signed(200, first), () => refusal(500)], reference)
    expect(outcome.kind).toBe('unknown')
  })

  test('other payments need not look as ours do', async () => {
    const odd = { id: 'ch_odd', object: 'charge', order_no: null, paid: 'perhaps' }
    const { outcome } = await query(
      [() => signed(200, listOf([odd, vendorPayment(paid)]))],
      reference,
    )
    expect(outcome.kind).toBe('found')
  })
})

test('nothing closes a payment at this vendor', async () => {
  const { vendor } = await query([() => refusal(500)])
  expect(vendor.channel.closePayment).toBeUndefined()
  expect(vendor.channel.capabilities.close).toBe(false)
})
