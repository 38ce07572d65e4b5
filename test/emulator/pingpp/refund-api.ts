import { z } from 'zod'

import type { ApiRequest } from '../core/server.ts'
import type { Answer } from './answer.ts'
import { invalid, missing, ok } from './answer.ts'
import type { EmulatedCharge } from './charge.ts'
import { sumOf } from './charge.ts'
import { RULES } from './channel-rule.ts'
import { readBody } from './charge-body.ts'
import { pageAnswer, pageQuery, readQuery } from './list.ts'
import type { EmulatedRefund } from './refund.ts'
import { refundObject } from './refund.ts'
import type { PingppVendor } from './vendor.ts'

const DESCRIPTION_MAX = 255

/** The body of `POST /v1/charges/{id}/refunds` (dossier 3). */
const refundBody = z.strictObject({
  amount: z.int().min(1).exactOptional(),
  description: z.string().min(1).max(DESCRIPTION_MAX),
  metadata: z.record(z.string(), z.unknown()).default({}),
  funding_source: z.enum(['unsettled_funds', 'recharge_funds']).exactOptional(),
})

type RefundBody = z.output<typeof refundBody>

/** Ping++'s own refusals are 400; the channel's refusal is a refund that failed, with 200. */
export function createRefund(
  vendor: PingppVendor,
  charge: EmulatedCharge,
  request: ApiRequest,
): Answer {
  const reading = readBody(refundBody, request.body)
  if (reading.kind === 'wrong') return invalid(reading.message, reading.param)
  const { body } = reading
  const left = charge.body.amount - sumOf(vendor.book.refundsOf(charge.id), TAKEN)
  const refusal = findRefusal(vendor, charge, body, left)
  if (refusal !== undefined) return refusal
  const { amount = left, description, metadata, funding_source: fundingSource } = body
  const wish = { amount, description, metadata }
  const refund = vendor.refunds.create(charge, {
    ...wish,
    ...(fundingSource !== undefined && { fundingSource }),
  })
  return ok(refundObject(charge, refund))
}

export function listRefunds(
  vendor: PingppVendor,
  charge: EmulatedCharge,
  { query }: ApiRequest,
): Answer {
  const reading = readQuery(pageQuery, query)
  if ('answer' in reading) return reading.answer
  const items = vendor.book.refundsOf(charge.id)
  const url = `/v1/charges/${charge.id}/refunds`
  return pageAnswer({ url, items }, reading.query, (refund) => show(vendor, charge, refund))
}

export function showRefund(vendor: PingppVendor, charge: EmulatedCharge, refundId: string): Answer {
  const refund = vendor.book.refundsOf(charge.id).find(({ id }) => id === refundId)
  return refund === undefined ? missing('refund') : ok(show(vendor, charge, refund))
}

/** What is promised to refunds: a failed one gives its amount back. */
const TAKEN = ['pending', 'succeeded'] as const

function findRefusal(
  { panel }: PingppVendor,
  charge: EmulatedCharge,
  body: RefundBody,
  left: number,
): Answer | undefined {
  if (charge.payment === undefined) {
    return invalid('charge 未支付，不能退款', 'id', 'charge_unexpected_status')
  }
  // A reversed charge's money is back already.
  if (charge.isReversed || left === 0) return invalid('已经全额退款')
  if ((body.amount ?? 0) > left) return invalid('退款金额超出可退金额', 'amount')
  if (body.funding_source !== undefined && RULES[charge.body.channel].family !== 'wx') {
    return invalid('该渠道不支持 funding_source', 'funding_source')
  }
  if (panel.take('refundOfOrder')) {
    return invalid('该 charge 由订单创建，请通过订单退款', undefined, 'charge_request_invalid')
  }
  return panel.take('refundOutOfTime') ? invalid('退款时间超出渠道限制', 'Refund_time') : undefined
}

/** As a query shows it; the panel may name a state that nobody knows. */
function show(vendor: PingppVendor, charge: EmulatedCharge, refund: EmulatedRefund): unknown {
  const object = refundObject(charge, refund)
  const { unknownTradeState } = vendor.panel.get()
  return unknownTradeState === '' ? object : { ...object, status: unknownTradeState }
}
