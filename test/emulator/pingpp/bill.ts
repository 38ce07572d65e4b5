import type { RowShape } from '../core/bill-knobs.ts'
import { plantInto } from '../core/bill-knobs.ts'
import type { FaultPanel } from '../core/knobs.ts'
import type { Answer } from './answer.ts'
import type { EmulatedCharge } from './charge.ts'
import { newRequestId, newToken, newTransactionNumber } from './id.ts'
import type { Knobs } from './knobs.ts'
import type { ChargeListQuery } from './list.ts'
import type { EmulatedRefund } from './refund.ts'

/** A payment as a list shows it, with its refunds. */
export interface ListedCharge {
  readonly id: string
  readonly charge: EmulatedCharge
  readonly refunds: readonly EmulatedRefund[]
}

/**
 * Whether a list is one of those that a merchant compares a day with (dossier 6): all that was paid, or all
 * that has a refund. A list without these filters looks for one payment, and nothing is planted in it.
 */
export const isOfDay = ({ paid, refunded }: ChargeListQuery): boolean =>
  paid === true || refunded === true

interface DayQuery {
  readonly query: ChargeListQuery
  readonly livemode: boolean
}

/** The lists of a day with the panel's faults. The books stay as they are: what is asked for alone is true. */
export class DayLists {
  readonly #panel: FaultPanel<Knobs>
  #isLate = false
  #isReversed = false

  constructor(panel: FaultPanel<Knobs>) {
    this.#panel = panel
  }

  /** What the list holds now; the panel is asked at the first page of what was paid. */
  plant(listed: readonly ListedCharge[], day: DayQuery): readonly ListedCharge[] {
    const knobs = this.#panel.get()
    const { paid, refunded, starting_after: after } = day.query
    if (knobs.billEmpty) return []
    if (paid === true && after === undefined) this.#begin()
    const known = paid === true && this.#isLate ? listed.slice(1) : listed
    const planted = plantInto(
      known.map((one) => withRefunds(one, knobs)),
      knobs,
      chargeShape(day),
    ).filter(({ refunds }) => refunded !== true || refunds.length > 0)
    return this.#isReversed ? planted.toReversed() : planted
  }

  /** What becomes of a page on its way. */
  damage(): Answer['damage'] {
    if (this.#panel.take('billTruncated')) return 'half'
    if (this.#panel.take('billCorrupt')) return 'corrupt'
    return this.#panel.take('billBomb') ? 'bomb' : undefined
  }

  /** The newest payment comes, goes and comes again: readings that follow each other do not agree. */
  #begin(): void {
    this.#isLate = !this.#isLate && this.#panel.take('billLate')
    if (this.#panel.take('billReissued')) this.#isReversed = !this.#isReversed
  }
}

const HALF_DAY_SECONDS = 43_200

const chargeShape = ({ query, livemode }: DayQuery): RowShape<ListedCharge> => ({
  numberOf: ({ charge }) => charge.body.order_no,
  withAmount: ({ charge, ...one }, moreFen) => ({
    ...one,
    charge: { ...charge, body: { ...charge.body, amount: charge.body.amount + moreFen } },
  }),
  extra: (orderNumber, fen) =>
    extraCharge({ app: query['app[id]'], livemode, at: noonOf(query), orderNumber, fen }),
})

const refundShape: RowShape<EmulatedRefund> = {
  // A merchant's own number stands in the metadata, under a key that is the merchant's affair.
  numberOf({ id, metadata }) {
    const [own] = Object.values(metadata)
    return typeof own === 'string' ? own : id
  },
  withAmount: (refund, moreFen) => ({ ...refund, amount: refund.amount + moreFen }),
  extra: () => {
    throw new Error('expected no refund that never happened')
  },
}

const withRefunds = (one: ListedCharge, knobs: Knobs): ListedCharge => ({
  ...one,
  refunds: plantInto(one.refunds, { ...knobs, billExtraLine: {} }, refundShape),
})

/** Of the day that the list ends with. */
const noonOf = (query: ChargeListQuery): number => (query['created[lt]'] ?? 0) - HALF_DAY_SECONDS

interface Extra {
  readonly app: string
  readonly livemode: boolean
  readonly at: number
  readonly orderNumber: string
  readonly fen: number
}

function extraCharge({ app, livemode, at, orderNumber, fen }: Extra): ListedCharge {
  const moment = new Date(at * 1000)
  // The same on every page.
  const id = `ch_${orderNumber}`
  const charge: EmulatedCharge = {
    id,
    livemode,
    created: at,
    timeExpire: at + HALF_DAY_SECONDS,
    requestId: newRequestId(),
    token: newToken(moment),
    credential: undefined,
    payment: { timePaid: at, transactionNumber: newTransactionNumber(moment) },
    isReversed: false,
    body: {
      order_no: orderNumber,
      app: { id: app },
      channel: 'alipay_qr',
      amount: fen,
      client_ip: '127.0.0.1',
      currency: 'cny',
      subject: 'of another till',
      body: 'of another till',
      extra: {},
      metadata: {},
    },
  }
  return { id, charge, refunds: [] }
}
