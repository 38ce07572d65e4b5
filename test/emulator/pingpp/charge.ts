import type { ChargeBody } from './charge-body.ts'
import type { Channel, Family } from './channel-rule.ts'
import { RULES } from './channel-rule.ts'
import type { EmulatedRefund } from './refund.ts'
import { refundObject } from './refund.ts'

/** One charge in Ping++'s books. Never changed: a move replaces it. Times are unix seconds. */
export interface EmulatedCharge {
  readonly id: string
  readonly livemode: boolean
  readonly body: ChargeBody
  readonly created: number
  readonly timeExpire: number
  /** The API request that made it. */
  readonly requestId: string
  /** Stands in the credential, so that a wallet finds the charge by it. */
  readonly token: string
  /** What stands under `credential.<channel>`; `undefined` where the client needs nothing. */
  readonly credential: unknown
  readonly payment?: EmulatedPayment
  readonly isReversed: boolean
}

export interface EmulatedPayment {
  readonly timePaid: number
  readonly transactionNumber: string
}

export type ChargeObject = Readonly<Record<string, unknown>>

const REFUNDS_SHOWN_MAX = 10
/** Ping++ estimates the amount after fees, and often rounds it to our disadvantage. */
const FEE_PER_MILLE = 6

/** What only the answer tells about the payer (dossier 2.4). */
const PAYER_EXTRA: Readonly<Record<Family, Readonly<Record<string, unknown>>>> = {
  alipay: {
    buyer_account: 'buy***@example.com',
    buyer_user_id: '2088002000000000',
    fund_bill_list: [],
  },
  wx: { bank_type: 'OTHERS' },
  upacp: {},
  other: {},
}

/** Channels on which WeChat Pay tells who the payer is; the others were told by the merchant. */
const TELLING_OPEN_ID: readonly Channel[] = ['wx', 'wx_pub_qr', 'wx_wap', 'wx_pub_scan']
const OPEN_ID = 'o7xEMsySBFG3MVHI-9VsAJX-j50W'

/** The charge object of dossier 2.2, in the order of the published event; `credential` is the whole object. */
export function chargeObject(
  charge: EmulatedCharge,
  refunds: readonly EmulatedRefund[],
  credential: Readonly<Record<string, unknown>> = {},
): ChargeObject {
  const { body, payment } = charge
  return {
    id: charge.id,
    object: 'charge',
    created: charge.created,
    livemode: charge.livemode,
    paid: payment !== undefined,
    // True for a failed refund as well (dossier 2.2): it says nothing about money.
    refunded: refunds.length > 0,
    reversed: charge.isReversed,
    app: body.app.id,
    channel: body.channel,
    order_no: body.order_no,
    client_ip: body.client_ip,
    amount: body.amount,
    amount_settle: payment === undefined ? 0 : afterFee(body.amount),
    currency: body.currency,
    subject: body.subject,
    body: body.body,
    extra: extraOf(charge),
    time_paid: payment?.timePaid ?? null,
    time_expire: charge.timeExpire,
    time_settle: null,
    transaction_no: payment?.transactionNumber ?? null,
    refunds: {
      object: 'list',
      url: `/v1/charges/${charge.id}/refunds`,
      has_more: refunds.length > REFUNDS_SHOWN_MAX,
      data: refunds.slice(0, REFUNDS_SHOWN_MAX).map((refund) => refundObject(charge, refund)),
    },
    amount_refunded: sumOf(refunds, ['succeeded']),
    failure_code: null,
    failure_msg: null,
    metadata: body.metadata,
    credential,
    description: body.description ?? null,
  }
}

/** The charge with what the client needs to pay (dossier 2.5). Reads leave it out, unless the panel says so. */
export function chargeWithCredential(charge: EmulatedCharge): ChargeObject {
  const { credential, body } = charge
  return chargeObject(charge, [], {
    object: 'credential',
    ...(credential !== undefined && { [body.channel]: credential }),
  })
}

/** The amount of the refunds in these states, fen. */
export const sumOf = (
  refunds: readonly EmulatedRefund[],
  statuses: readonly EmulatedRefund['status'][],
): number =>
  refunds
    .filter(({ status }) => statuses.includes(status))
    .reduce((sum, { amount }) => sum + amount, 0)

const afterFee = (amount: number): number => amount - Math.ceil((amount * FEE_PER_MILLE) / 1000)

function extraOf({ body, payment }: EmulatedCharge): Readonly<Record<string, unknown>> {
  if (payment === undefined) return body.extra
  const openId = TELLING_OPEN_ID.includes(body.channel) && { open_id: OPEN_ID }
  return { ...body.extra, ...openId, ...PAYER_EXTRA[RULES[body.channel].family] }
}
