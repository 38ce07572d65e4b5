import { z } from 'zod'
import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import { addDays, availableAt, businessDateOf } from '#domain/business-day'
import { addMs } from '#domain/time'
import type { PaymentView } from '../../support/shop.ts'
import { waitFor } from '../../support/wait.ts'
import type { ReconciliationLine } from '../line.ts'
import type { Narrator } from '../narrator.ts'
import type { Stage } from '../stage.ts'
import { resolveByCommand } from './command.ts'
import { lineOf, refunded } from './money.ts'
import { PATIENCE_MS, counterOf, follow, order, pointsOf } from './play.ts'
import type { Scene } from './play.ts'

const VENDOR = 'wechat-pay'
/** In minutes after midnight: when every vendor's bill is there. */
const MORNING = 11 * 60
/** Longer than a repair waits for its next try. */
const REPAIR_PAUSE_MS = 6 * 60_000
const BILL_PATIENCE_MS = 60_000

const run = z.object({
  id: z.string(),
  channel: z.string(),
  business_date: z.string(),
  lines: z.number(),
  matched: z.number(),
  our_amount: z.number(),
  their_amount: z.number(),
})
const difference = z.object({
  id: z.string(),
  kind: z.string(),
  subject: z.string(),
  state: z.string(),
  our_amount: z.number().nullable(),
  their_amount: z.number().nullable(),
  version: z.number(),
})

type Run = z.infer<typeof run>
type Difference = z.infer<typeof difference>

/** What the vendor's bill and our books will disagree about, by the kind of the difference. */
interface Planted extends Readonly<Record<string, PaymentView>> {
  readonly missing_here: PaymentView
  readonly state_differs: PaymentView
  readonly amount_differs: PaymentView
  readonly missing_there: PaymentView
  readonly duplicate: PaymentView
}

/** The vendor says nothing about what was paid there alone; a day without a line may be cut otherwise. */
const FOUND = [
  'amount_differs open',
  'duplicate open',
  'missing_here repairing',
  'missing_there held',
  'state_differs repairing',
]
/** The vendor was asked. */
const REPAIRED = [
  'amount_differs open',
  'duplicate open',
  'missing_here resolved',
  'missing_there held',
  'state_differs resolved',
]
/** Kinds whose line is not, or not wholly, in our total. */
const ONE_SIDED = new Set(['missing_here', 'state_differs', 'amount_differs'])
const DECIDED = ['amount_differs resolved', ...REPAIRED.slice(1)]

interface Day extends Scene {
  readonly reconciliation: readonly ReconciliationLine[]
}

/** The business day ends: every vendor's bill is fetched and compared with our books. */
export async function playDay(stage: Stage, say: Narrator): Promise<Day> {
  say.step('the bill of WeChat Pay and our books will not agree on five things')
  const planted = await plant(stage)
  const dates = datesAt(stage.clock())
  const lastDate = [...dates.values()].toSorted().at(-1) ?? ''
  stage.passTo(availableAt(lastDate, MORNING))
  say.step(`it is ${addDays(lastDate, 1)}, 11:00: the vendors have made their bills`)
  const runs = await runsOf(stage, dates)
  await expectStates(stage, say, { runs, planted, states: FOUND })
  say.step('WeChat Pay answers queries again: what was paid there and not here is asked about')
  counterOf(stage, VENDOR).till.vendor.resetKnobs()
  stage.passTo(addMs(stage.clock(), REPAIR_PAUSE_MS))
  const left = await expectStates(stage, say, { runs, planted, states: REPAIRED })
  const refund = await refunded(stage, planted.state_differs.id)
  say.step('an operator takes the amount that the vendor says')
  const wrong = left.find(({ kind }) => kind === 'amount_differs')
  assert(wrong !== undefined, 'expected an amount to decide about')
  await resolveByCommand(stage, wrong)
  await expectStates(stage, say, { runs, planted, states: DECIDED })
  await expectTotals(stage, say, runs)
  await pointsOf(stage, planted.missing_here.order.user_id, 11)
  const reconciliation = await Promise.all(runs.map((found) => lineOfRun(stage, found)))
  return {
    refunds: [lineOf(VENDOR, refund)],
    balances: { 'buyer-night': 11, 'buyer-closed': 0, 'buyer-missing': 14, 'buyer-twice': 15 },
    reconciliation,
  }
}

async function plant(stage: Stage): Promise<Planted> {
  const { till } = counterOf(stage, VENDOR)
  const closed = await buy(stage, 1200, 'buyer-closed')
  await stage.shop.closeOrder(closed.order.order_number)
  await stage.shop.waitForState(closed.id, 'closed', PATIENCE_MS)
  const more = await buyPaid(stage, 1300, 'buyer-more')
  const missing = await buyPaid(stage, 1400, 'buyer-missing')
  const twice = await buyPaid(stage, 1500, 'buyer-twice')
  const unheard = await buy(stage, 1100, 'buyer-night')
  // Otherwise a query would find the money before the bill does.
  till.vendor.setKnobs({ unknownTradeState: 'SETTLING', dropCallbacks: true, dropForever: true })
  await follow(stage, VENDOR, unheard)
  till.payLate?.(closed.id)
  till.vendor.setKnobs({
    billWrongAmount: { [more.id]: 1 },
    billMissingLine: missing.id,
    billDuplicateLine: twice.id,
  })
  return {
    missing_here: unheard,
    state_differs: closed,
    amount_differs: more,
    missing_there: missing,
    duplicate: twice,
  }
}

const buy = (stage: Stage, amount: number, userId: string): Promise<PaymentView> =>
  order(stage, { vendor: VENDOR, method: 'qr', amount, userId })

async function buyPaid(stage: Stage, amount: number, userId: string): Promise<PaymentView> {
  const payment = await buy(stage, amount, userId)
  await follow(stage, VENDOR, payment)
  return stage.shop.waitForState(payment.id, 'paid', PATIENCE_MS)
}

/** The business day of each vendor, by the channel's name: they do not end at the same hour. */
const datesAt = (moment: Date): ReadonlyMap<string, string> =>
  new Map(
    Object.values(strategies).flatMap(({ channelName, billTimes }) =>
      billTimes === undefined
        ? []
        : [[channelName, businessDateOf(moment, billTimes.dayEndHour)] as const],
    ),
  )

/** Each vendor's comparison of its day. */
const runsOf = (stage: Stage, dates: ReadonlyMap<string, string>): Promise<readonly Run[]> =>
  waitFor(
    'the bills of all vendors',
    async () => {
      const all = await stage.shop.list('/v1/reconciliations', run)
      const runs = all.filter((one) => dates.get(one.channel) === one.business_date)
      return runs.length === dates.size ? runs : undefined
    },
    BILL_PATIENCE_MS,
  )

const differencesOf = (stage: Stage, { id }: Run): Promise<readonly Difference[]> =>
  stage.shop.list(`/v1/reconciliations/${id}/discrepancies`, difference)

/** Waits until the differences of all vendors are the planted ones, each in its state, and no other. */
async function expectStates(
  stage: Stage,
  say: Narrator,
  { runs, planted, states }: { runs: readonly Run[]; planted: Planted; states: readonly string[] },
): Promise<readonly Difference[]> {
  let seen = ''
  const found = await waitFor(
    'the differences of all bills',
    async () => {
      const all = (await Promise.all(runs.map((one) => differencesOf(stage, one)))).flat()
      seen = textOf(all)
      return seen === states.join(', ') ? all : undefined
    },
    BILL_PATIENCE_MS,
  ).catch(() => undefined)
  const known = Object.values(planted).map(({ id }) => id)
  const all = found ?? []
  const areKnown = all.every(({ subject }) => known.some((id) => subject.startsWith(id)))
  say.check(seen, all.length === states.length && areKnown)
  return all
}

/** What the vendors' totals are above ours is what the differences say, to the fen. */
async function expectTotals(stage: Stage, say: Narrator, runs: readonly Run[]): Promise<void> {
  for (const one of runs) {
    const explained = (await differencesOf(stage, one))
      .filter(({ kind }) => ONE_SIDED.has(kind))
      .reduce((sum, { kind, our_amount: ours, their_amount: theirs }) => {
        const counted = kind === 'amount_differs' ? (ours ?? 0) : 0
        return sum + (theirs ?? 0) - counted
      }, 0)
    const above = one.their_amount - one.our_amount
    say.check(`${one.channel}: ${above} fen above our total, all explained`, above === explained)
  }
}

const textOf = (differences: readonly Difference[]): string =>
  differences
    .map(({ kind, state }) => `${kind} ${state}`)
    .toSorted()
    .join(', ')

async function lineOfRun(stage: Stage, found: Run): Promise<ReconciliationLine> {
  const differences = await differencesOf(stage, found)
  const kinds = Object.entries(Object.groupBy(differences, ({ kind }) => kind))
  return {
    channel: found.channel,
    business_date: found.business_date,
    lines: found.lines,
    matched: found.matched,
    our_amount: found.our_amount,
    their_amount: found.their_amount,
    discrepancies: Object.fromEntries(kinds.map(([kind, all]) => [kind, all?.length ?? 0])),
    state: differences.every(({ state }) => state === 'resolved') ? 'settled' : 'open',
  }
}
