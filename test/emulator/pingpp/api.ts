import type { ApiRequest } from '../core/server.ts'
import type { Answer } from './answer.ts'
import { invalid, missing, numberUsed, ok, serverTrouble } from './answer.ts'
import type { Caller } from './authorization.ts'
import type { ListedCharge } from './bill.ts'
import { isOfDay } from './bill.ts'
import type { EmulatedCharge } from './charge.ts'
import { chargeObject, chargeWithCredential } from './charge.ts'
import { readChargeBody } from './charge-body.ts'
import { REVERSIBLE } from './channel-rule.ts'
import { eventObject } from './event.ts'
import type { ChargeListQuery } from './list.ts'
import { chargeListQuery, isWithin, pageAnswer, readQuery } from './list.ts'
import { createRefund, listRefunds, showRefund } from './refund-api.ts'
import type { EmulatedRefund } from './refund.ts'
import type { PingppVendor } from './vendor.ts'

/** What a path and a method ask for. */
export type Route =
  | { readonly kind: 'create' | 'list' }
  | { readonly kind: 'show' | 'reverse' | 'refund' | 'refund_list'; readonly chargeId: string }
  | { readonly kind: 'refund_show'; readonly chargeId: string; readonly refundId: string }
  | { readonly kind: 'event'; readonly eventId: string }
  | { readonly kind: 'unknown' }

export interface Call {
  readonly caller: Caller
  readonly request: ApiRequest
}

const JSON_TYPE = /^application\/json\b/i

/** Reads method and path; it knows nothing of bodies. */
export function readRoute(method: string, path: string): Route {
  const [, version, collection, id, part, partId, ...rest] = path.split('/')
  if (version !== 'v1' || rest.length > 0) return { kind: 'unknown' }
  if (collection === 'events' && id !== undefined && part === undefined && method === 'GET') {
    return { kind: 'event', eventId: id }
  }
  if (collection !== 'charges') return { kind: 'unknown' }
  const isReading = method === 'GET'
  if (!isReading && method !== 'POST') return { kind: 'unknown' }
  if (id === undefined) return { kind: isReading ? 'list' : 'create' }
  return readChargeRoute(isReading, id, [part, partId])
}

function readChargeRoute(
  isReading: boolean,
  chargeId: string,
  [part, partId]: readonly (string | undefined)[],
): Route {
  if (part === undefined) return isReading ? { kind: 'show', chargeId } : { kind: 'unknown' }
  if (part === 'reverse' && partId === undefined && !isReading) return { kind: 'reverse', chargeId }
  if (part !== 'refunds') return { kind: 'unknown' }
  if (partId === undefined) return { kind: isReading ? 'refund_list' : 'refund', chargeId }
  return isReading ? { kind: 'refund_show', chargeId, refundId: partId } : { kind: 'unknown' }
}

/** Whether the request changes Ping++'s books. */
export const isWriting = ({ kind }: Route): boolean =>
  kind === 'create' || kind === 'reverse' || kind === 'refund'

/** Handles an authenticated request. */
export function handleRoute(
  vendor: PingppVendor,
  route: Route,
  call: Call,
): Answer | Promise<Answer> {
  switch (route.kind) {
    case 'unknown':
      return missing('请求的资源', 'url')
    case 'create':
      return create(vendor, call)
    case 'list':
      return list(vendor, call)
    case 'event':
      return showEvent(vendor, call, route.eventId)
    case 'show':
    case 'reverse':
    case 'refund':
    case 'refund_list':
    case 'refund_show':
      return handleCharge(vendor, route, call)
  }
}

function handleCharge(
  vendor: PingppVendor,
  route: Extract<Route, { chargeId: string }>,
  { caller, request }: Call,
): Answer {
  const charge = vendor.book.find(route.chargeId)
  if (charge === undefined || !isOf(caller, charge)) return missing('charge')
  switch (route.kind) {
    case 'show':
      return ok(showCharge(vendor, charge))
    case 'reverse':
      return reverse(vendor, charge)
    case 'refund':
      return createRefund(vendor, charge, request)
    case 'refund_list':
      return listRefunds(vendor, charge, request)
    case 'refund_show':
      return showRefund(vendor, charge, route.refundId)
  }
}

async function create(vendor: PingppVendor, { caller, request }: Call): Promise<Answer> {
  if (!JSON_TYPE.test(request.headers.get('content-type') ?? '')) {
    return invalid('Content-Type 必须是 application/json')
  }
  const reading = readChargeBody(request.body, vendor.nowSeconds())
  if (reading.kind === 'wrong') return invalid(reading.message, reading.param)
  const { body } = reading
  const { account, livemode } = caller
  if (!account.apps.includes(body.app.id)) return invalid('未找到 app', 'app[id]')
  const earlier = vendor.book.findByNumber(body.order_no, { app: body.app.id, livemode })
  if (earlier !== undefined) return answerRepeat(vendor, earlier, body)
  const charge = vendor.create(body, livemode)
  if (vendor.panel.get().callbackBeforeAnswer) {
    const result = vendor.pay(charge)
    if (result.kind === 'paid') await result.first
  }
  return ok(chargeWithCredential(charge))
}

/** Some channels give the same object again, others refuse: which is which is not known (dossier 5). */
function answerRepeat(vendor: PingppVendor, earlier: EmulatedCharge, body: unknown): Answer {
  const isAlike = JSON.stringify(earlier.body) === JSON.stringify(body)
  if (!vendor.panel.get().repeatsAnswerAlike || !isAlike) return numberUsed()
  return ok(chargeWithCredential(earlier))
}

function list(vendor: PingppVendor, { caller, request }: Call): Answer {
  const reading = readQuery(chargeListQuery, request.query)
  if ('answer' in reading) return reading.answer
  const { query } = reading
  const app = query['app[id]']
  if (!caller.account.apps.includes(app)) return invalid('未找到 app', 'app[id]')
  const items = vendor.book
    .list()
    .filter((charge) => charge.body.app.id === app && isOf(caller, charge))
    .filter((charge) => isWithin(charge.created, query) && isSelected(vendor, charge, query))
    .toReversed()
    .map((charge) => ({ id: charge.id, charge, refunds: vendor.book.refundsOf(charge.id) }))
  const show = (one: ListedCharge) => showCharge(vendor, one.charge, one.refunds)
  return isOfDay(query)
    ? dayAnswer(vendor, { caller, query, items, show })
    : pageAnswer({ url: LIST_URL, items }, limited(vendor, query), show)
}

const LIST_URL = '/v1/charges'

const limited = (vendor: PingppVendor, query: ChargeListQuery): ChargeListQuery => ({
  ...query,
  limit: Math.min(query.limit, vendor.panel.get().listPageMax),
})

interface DayList {
  readonly caller: Caller
  readonly query: ChargeListQuery
  readonly items: readonly ListedCharge[]
  readonly show: (one: ListedCharge) => unknown
}

/** A page of what a day is compared with, with the panel's faults. */
function dayAnswer(vendor: PingppVendor, { caller, query, items, show }: DayList): Answer {
  const { panel } = vendor
  const { starting_after: after, ...first } = limited(vendor, query)
  if (after !== undefined && panel.take('billBreaks')) return serverTrouble()
  const { livemode } = caller
  const list = { url: LIST_URL, items: vendor.dayLists.plant(items, { query, livemode }) }
  if (panel.get().billCursorLoop) return pageAnswer(list, first, show, true)
  const answer = pageAnswer(list, limited(vendor, query), show)
  const damage = vendor.dayLists.damage()
  return { ...answer, ...(damage !== undefined && { damage }) }
}

function isSelected(
  vendor: PingppVendor,
  charge: EmulatedCharge,
  { channel, ...flags }: Readonly<Record<string, unknown>>,
): boolean {
  const object = chargeObject(charge, vendor.book.refundsOf(charge.id))
  const isOfFlags = (['paid', 'refunded', 'reversed'] as const).every(
    (name) => flags[name] === undefined || flags[name] === object[name],
  )
  return isOfFlags && (channel === undefined || channel === charge.body.channel)
}

function reverse(vendor: PingppVendor, charge: EmulatedCharge): Answer {
  if (!REVERSIBLE.includes(charge.body.channel)) {
    return invalid('该渠道不支持撤销', 'channel', 'charge_request_invalid')
  }
  return ok(showCharge(vendor, vendor.reverse(charge)))
}

function showEvent(vendor: PingppVendor, { caller }: Call, eventId: string): Answer {
  const event = vendor.events.find(eventId)
  const isVisible =
    event !== undefined &&
    event.livemode === caller.livemode &&
    caller.account.apps.includes(event.app)
  return isVisible ? ok(eventObject(event)) : missing('event')
}

/** As a query shows it; the panel may put a word in the place of `paid` that nobody knows. */
function showCharge(
  vendor: PingppVendor,
  charge: EmulatedCharge,
  refunds: readonly EmulatedRefund[] = vendor.book.refundsOf(charge.id),
): unknown {
  const { unknownTradeState, credentialInReads } = vendor.panel.get()
  const isShown = credentialInReads && charge.payment === undefined
  const object = isShown ? chargeWithCredential(charge) : chargeObject(charge, refunds)
  return unknownTradeState === '' ? object : { ...object, paid: unknownTradeState }
}

const isOf = ({ account, livemode }: Caller, charge: EmulatedCharge): boolean =>
  charge.livemode === livemode && account.apps.includes(charge.body.app.id)
