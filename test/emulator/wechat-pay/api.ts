import { z } from 'zod'

import { parseJson } from '../config.ts'
import { formatChinaTime } from '../core/china-time.ts'
import type { FaultPanel } from '../core/knobs.ts'
import { newNonce } from '../core/random.ts'
import type { ApiRequest } from '../core/server.ts'
import type { Answer } from './answer.ts'
import { ERROR_NUMBER, noContent, ok, orderMissing, parameterError, problem } from './answer.ts'
import type { EmulatedMerchant } from './authorization.ts'
import type { BillDesk, BillKind } from './bill-desk.ts'
import { sealText } from './crypto.ts'
import type { VendorKeys } from './keys.ts'
import type { Knobs } from './knobs.ts'
import type { EmulatedOrder } from './order.ts'
import { orderObject } from './order.ts'
import type { OrderBook } from './order-book.ts'
import { prepay } from './prepay.ts'
import type { Product } from './prepay-body.ts'
import type { RefundDeps } from './refund.ts'
import { createRefund, findRefund } from './refund.ts'
import { PRODUCTS } from './prepay-body.ts'

export interface ApiDeps extends RefundDeps {
  readonly book: OrderBook
  readonly panel: FaultPanel<Knobs>
  readonly bills: BillDesk
  readonly keys: VendorKeys
  readonly now: () => Date
  /** Merchants since 2024 own none: the endpoint answers 404 (dossier 1.6). */
  readonly hasPlatformCertificate: boolean
}

/** What a path and a method ask for. */
export type Route =
  | { readonly kind: 'prepay'; readonly product: Product }
  | { readonly kind: 'query'; readonly outTradeNo: string }
  | { readonly kind: 'query_id'; readonly transactionId: string }
  | { readonly kind: 'close'; readonly outTradeNo: string }
  | { readonly kind: 'certificates' }
  | { readonly kind: 'refund' }
  | { readonly kind: 'query_refund'; readonly outRefundNo: string }
  | { readonly kind: 'bill'; readonly bill: BillKind }
  | { readonly kind: 'bill_file' }
  | { readonly kind: 'unknown_path' }
  | { readonly kind: 'wrong_method' }

const BASE = '/v3/pay/transactions/'
const REFUNDS = '/v3/refund/domestic/refunds'
const PATHS: Readonly<Record<string, Route>> = {
  '/v3/certificates': { kind: 'certificates' },
  [REFUNDS]: { kind: 'refund' },
  '/v3/bill/tradebill': { kind: 'bill', bill: 'trade' },
  '/v3/bill/fundflowbill': { kind: 'bill', bill: 'fund' },
  '/v3/billdownload/file': { kind: 'bill_file' },
}
const JSON_TYPE = /^application\/json\b/i
const DAY_MS = 24 * 3600 * 1000

/** Reads path and method; it knows nothing of bodies. */
export function readRoute(method: string, path: string): Route {
  const found = findRoute(path)
  if (found === undefined) return { kind: 'unknown_path' }
  return method === (isWriting(found) ? 'POST' : 'GET') ? found : { kind: 'wrong_method' }
}

/** Whether the request changes the vendor's books. */
export const isWriting = ({ kind }: Route): boolean =>
  kind === 'prepay' || kind === 'close' || kind === 'refund'

function findRoute(path: string): Route | undefined {
  if (Object.hasOwn(PATHS, path)) return PATHS[path]
  const refund = path.startsWith(`${REFUNDS}/`) ? path.slice(REFUNDS.length + 1) : ''
  if (refund !== '') return { kind: 'query_refund', outRefundNo: decodeSegment(refund) }
  if (!path.startsWith(BASE)) return undefined
  const [first, second, third, ...rest] = path.slice(BASE.length).split('/')
  if (first === undefined || rest.length > 0) return undefined
  if (second === undefined) {
    const product = PRODUCTS.find((name) => name === first)
    return product === undefined ? undefined : { kind: 'prepay', product }
  }
  const value = decodeSegment(second)
  if (first === 'id' && third === undefined) return { kind: 'query_id', transactionId: value }
  if (first !== 'out-trade-no') return undefined
  if (third === 'close') return { kind: 'close', outTradeNo: value }
  return third === undefined ? { kind: 'query', outTradeNo: value } : undefined
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // A broken escape names no order: the query answers that there is none.
    return segment
  }
}

/** Handles an authenticated request. */
export function handleRoute(
  deps: ApiDeps,
  merchant: EmulatedMerchant,
  { route, request }: { readonly route: Route; readonly request: ApiRequest },
): Answer {
  if (isWriting(route) && !JSON_TYPE.test(request.headers.get('content-type') ?? '')) {
    return problem({ status: 400, code: 'INVALID_REQUEST', message: 'Content-Type不支持' })
  }
  switch (route.kind) {
    case 'prepay':
      return prepay(deps, merchant, { product: route.product, raw: request.body })
    case 'close':
      return close(deps, merchant, { outTradeNo: route.outTradeNo, raw: request.body })
    case 'query':
      return query(deps, merchant, request, () => deps.book.find(merchant.mchid, route.outTradeNo))
    case 'query_id':
      return query(deps, merchant, request, () =>
        deps.book.findByTransaction(merchant.mchid, route.transactionId),
      )
    case 'certificates':
      return certificates(deps, merchant)
    case 'refund':
      return createRefund(deps, merchant, request.body)
    case 'query_refund':
      return findRefund(deps, merchant, route.outRefundNo)
    case 'bill':
      return deps.bills.ask(route.bill, merchant.mchid, request)
    case 'bill_file':
      return deps.bills.download(merchant.mchid, request.query)
    case 'unknown_path':
    case 'wrong_method':
      throw new Error(`expected a route that can be handled, got ${route.kind}`)
  }
}

function query(
  deps: ApiDeps,
  merchant: EmulatedMerchant,
  request: ApiRequest,
  find: () => EmulatedOrder | undefined,
): Answer {
  const mchid = request.query.get('mchid')
  if (mchid !== merchant.mchid) {
    return parameterError({
      field: 'mchid',
      value: mchid ?? '',
      issue: mchid === null ? 'mchid is required' : 'mchid differs from Authorization',
      location: 'query',
    })
  }
  const order = find()
  if (order === undefined) return orderMissing()
  const { unknownTradeState } = deps.panel.get()
  if (unknownTradeState === '') return ok(orderObject(order))
  return ok({ ...orderObject(order), trade_state: unknownTradeState })
}

const closeBody = z.object({ mchid: z.string().min(1) })

function close(
  deps: ApiDeps,
  merchant: EmulatedMerchant,
  { outTradeNo, raw }: { readonly outTradeNo: string; readonly raw: string },
): Answer {
  const body = closeBody.safeParse(parseJson(raw))
  if (body.data?.mchid !== merchant.mchid) {
    const value = body.data?.mchid ?? ''
    return parameterError({ field: '/mchid', value, issue: 'mchid missing or differs' })
  }
  const order = deps.book.find(merchant.mchid, outTradeNo)
  if (order === undefined) return orderMissing()
  switch (order.state) {
    case 'NOTPAY':
      deps.book.move(order, 'CLOSED')
      return noContent()
    case 'CLOSED':
      return noContent()
    case 'SUCCESS':
    case 'REFUND':
      // The number is known, the code is not (dossier 3.4): a merchant must not branch on it.
      return problem({
        status: 400,
        code: 'ORDERPAID',
        message: '该订单已支付',
        errorNumber: ERROR_NUMBER.orderPaid,
      })
  }
}

const CERTIFICATE_DAYS = 5 * 365

function certificates(deps: ApiDeps, merchant: EmulatedMerchant): Answer {
  if (!deps.hasPlatformCertificate) {
    return problem({
      status: 404,
      code: 'RESOURCE_NOT_EXISTS',
      message: '无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥',
    })
  }
  const nonce = newNonce(12)
  const now = deps.now()
  const { apiV3Key } = merchant
  const plaintext = deps.keys.certificatePem
  return ok({
    data: [
      {
        serial_no: deps.keys.certificateSerial,
        effective_time: formatChinaTime(new Date(now.getTime() - DAY_MS)),
        expire_time: formatChinaTime(new Date(now.getTime() + CERTIFICATE_DAYS * DAY_MS)),
        encrypt_certificate: {
          algorithm: 'AEAD_AES_256_GCM',
          nonce,
          associated_data: 'certificate',
          ciphertext: sealText({ apiV3Key, nonce, associatedData: 'certificate', plaintext }),
        },
      },
    ],
  })
}
