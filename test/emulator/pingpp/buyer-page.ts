import type { ApiRequest } from '../core/server.ts'
import { parseJson } from '../config.ts'
import type { BuyerAction } from './buyer-action.ts'
import { buyerActionSchema, readAction } from './buyer-action.ts'
import type { EmulatedCharge } from './charge.ts'
import { PAGE_PATHS } from './credential.ts'
import type { PayResult, PingppVendor } from './vendor.ts'

/** Ping++'s own page for payments of test mode, and where its browser SDK pays them (dossier 7). */
const MOCK_PAGE = '/mock.php'
const NOTIFY = '/notify/charges/'
const BUYER = '/buyer/'

const PAGES: readonly string[] = [...Object.values(PAGE_PATHS), MOCK_PAGE]

/** Pages that a buyer's browser or wallet opens: neither keys nor faults there. */
export const isBuyerPath = (path: string): boolean =>
  PAGES.includes(path) || path.startsWith(BUYER) || path.startsWith(NOTIFY)

/**
 * Answers the buyer's side.
 *
 * `POST /buyer/open` and `POST /buyer/pay` take what the shop handed out, as JSON. The rest are the pages that
 * stand in place of the channels' own.
 */
export function answerBuyer(vendor: PingppVendor, request: ApiRequest): Response {
  const { path, method } = request
  if (path.startsWith(NOTIFY)) return notify(vendor, path.slice(NOTIFY.length), request)
  if (path === MOCK_PAGE) {
    return showPage(vendor.book.find(request.query.get('ch_id') ?? ''))
  }
  if (path.startsWith(BUYER)) return answerOwnPage(vendor, request)
  const action = method === 'POST' ? formAction(request) : redirectAction(vendor, request)
  return openPage(vendor, action)
}

function answerOwnPage(vendor: PingppVendor, { path, method, query, body }: ApiRequest): Response {
  const [name = '', step, ...rest] = path.slice(BUYER.length).split('/')
  if (rest.length > 0) return notFound()
  if (name === 'scan' && step === undefined) {
    return openPage(vendor, { type: 'qr_code', content: query.get('content') ?? '' })
  }
  if (method === 'POST' && step === undefined) return followAction(vendor, name, parseJson(body))
  const charge = vendor.book.find(name)
  if (step === undefined) return showPage(charge)
  return step === 'pay' && method === 'POST' ? payPage(vendor, charge) : notFound()
}

/** For a program in the buyer's place. */
function followAction(vendor: PingppVendor, name: string, body: unknown): Response {
  const reading = buyerActionSchema.safeParse(body)
  if (!reading.success) return Response.json({ error: 'no such action' }, { status: 400 })
  if (name === 'open') {
    const opened = openAction(vendor, reading.data)
    return Response.json(opened, { status: opened.kind === 'opened' ? 200 : 409 })
  }
  if (name !== 'pay') return notFound()
  const result = payAction(vendor, reading.data)
  if (result.kind === 'refused') return Response.json(result, { status: 409 })
  const { kind, eventId, transactionNumber } = result
  return Response.json({ kind, eventId, transactionNumber })
}

export type OpenResult =
  | {
      readonly kind: 'opened'
      /** The buyer's page: GET shows it, POST to `{url}/pay` pays. */
      readonly url: string
      readonly orderNumber: string
      /** Fen. */
      readonly amount: number
    }
  | { readonly kind: 'refused'; readonly reason: 'missing' | 'altered' }

/** Opens the page that a wallet or a bank shows for what the shop handed out. */
export function openAction(vendor: PingppVendor, action: BuyerAction): OpenResult {
  const reading = readAction(vendor.book, action)
  if (reading.kind === 'refused') return reading
  const { id, body } = reading.charge
  const url = `${vendor.baseUrl}${BUYER}${id}`
  return { kind: 'opened', url, orderNumber: body.order_no, amount: body.amount }
}

/** Pays what the shop handed out, as the wallet or the bank that it is for would. */
export function payAction(vendor: PingppVendor, action: BuyerAction): PayResult {
  const reading = readAction(vendor.book, action)
  return reading.kind === 'refused' ? reading : vendor.pay(reading.charge)
}

const formAction = ({ body }: ApiRequest): BuyerAction => ({
  type: 'form',
  fields: Object.fromEntries(new URLSearchParams(body)),
})

const redirectAction = ({ baseUrl }: PingppVendor, { target }: ApiRequest): BuyerAction => ({
  type: 'redirect',
  url: `${baseUrl}${target}`,
})

function openPage(vendor: PingppVendor, action: BuyerAction): Response {
  const reading = readAction(vendor.book, action)
  if (reading.kind === 'found') return showPage(reading.charge)
  const isAltered = reading.reason === 'altered'
  const text = isAltered ? '签名错误：参数已被修改' : '订单不存在'
  return page(`<h1>${text}</h1>`, isAltered ? 400 : 404)
}

function showPage(charge: EmulatedCharge | undefined): Response {
  if (charge === undefined) return page('<h1>订单不存在</h1>', 404)
  const { body, id, payment } = charge
  const head = `<h1>${escapeHtml(body.subject)}</h1><p>${body.amount} fen, ${body.channel}</p>`
  if (payment !== undefined) return page(`${head}<p>已支付</p>`)
  return page(`${head}<form method="post" action="${BUYER}${id}/pay"><button>支付</button></form>`)
}

/** After it the browser goes back to the shop where the channel has an address for that. */
function payPage(vendor: PingppVendor, charge: EmulatedCharge | undefined): Response {
  const result = vendor.pay(charge)
  if (result.kind === 'refused') return page(`<h1>${result.reason}</h1>`, 409)
  const { success_url: success, result_url: shown } = charge?.body.extra ?? {}
  const back = success ?? shown
  if (typeof back !== 'string') return page('<h1>支付成功</h1>')
  return new Response(null, { status: 303, headers: { Location: back } })
}

/** Pays a test payment, and only one (dossier 7). */
function notify(vendor: PingppVendor, chargeId: string, { query }: ApiRequest): Response {
  const charge = vendor.book.find(chargeId)
  const isTest = charge?.livemode === false && query.get('livemode') === 'false'
  if (!isTest || vendor.pay(charge).kind === 'refused') return new Response('fail')
  return new Response('success')
}

const notFound = (): Response => page('<h1>404</h1>', 404)

const page = (content: string, status = 200): Response =>
  new Response(`<!doctype html><meta charset="utf-8"><title>Ping++</title>${content}`, {
    status,
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
  })

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '"': '&quot;' }

const escapeHtml = (text: string): string =>
  text.replace(/[&<"]/g, (character) => ESCAPES[character] ?? character)
