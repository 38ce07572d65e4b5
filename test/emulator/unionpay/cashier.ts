import { newNonce } from '../core/random.ts'
import type { ApiRequest, VendorAnswer } from '../core/server.ts'
import { findOrderProblem } from './api.ts'
import { isMoneyGone, textOf } from './code.ts'
import type { Fields } from './message.ts'
import type { EmulatedOrder } from './order.ts'
import { newOrder } from './order.ts'
import type { BuyerAction } from './page.ts'
import { BUYER_ACTIONS, cashierPage, errorPage, resultPage } from './page.ts'
import type { Message } from './request.ts'
import { readMessage } from './request.ts'
import type { UnionpayVendor } from './vendor.ts'

/** The pages that the buyer's browser sees (dossier 2.1). */
export class Cashier {
  readonly #vendor: UnionpayVendor
  /** Order numbers by the token in the address of their page. */
  readonly #tokens = new Map<string, { readonly orderId: string; readonly merId: string }>()

  constructor(vendor: UnionpayVendor) {
    this.#vendor = vendor
  }

  /** The merchant's form arrives from the buyer's browser. There is no answer but a page. */
  open(request: ApiRequest): VendorAnswer {
    const { settings, now } = this.#vendor
    const reading = readMessage({ merchants: settings.merchants, now }, 'front', request)
    if (reading.kind === 'refused') return refused(reading.code, reading.text)
    const problem = this.#findProblem(reading)
    if (problem !== undefined) {
      return refused(problem.code, problem.text ?? textOf(problem.code))
    }
    const { fields } = reading
    if (this.#vendor.book.find(fields) === undefined) this.#put(reading)
    const { orderId = '', merId = '', txnAmt: amount = '' } = fields
    const token = newNonce(32)
    this.#tokens.set(token, { orderId, merId })
    return { response: cashierPage({ token, orderId, amount }), operation: 'front', code: '00' }
  }

  /** The buyer presses a button of his page. */
  press(token: string, request: ApiRequest): VendorAnswer {
    const order = this.#tokens.get(token)
    const action = readAction(request)
    if (order === undefined || action === undefined) return refused('34', textOf('34'))
    return { response: this.#act(order, action), operation: `buyer_${action}` }
  }

  /** A reload of the same form is the same order; nothing else may use its number again. */
  #findProblem(message: Message): { readonly code: string; readonly text?: string } | undefined {
    const known = this.#vendor.book.find(message.fields)
    if (known === undefined || !isSameForm(known.message.fields, message.fields)) {
      return findOrderProblem(this.#vendor, message)
    }
    const { attempt } = known
    return attempt !== undefined && isMoneyGone(attempt.code) ? { code: '12' } : undefined
  }

  #put(message: Message): void {
    const product = message.fields['channelType'] === '08' ? 'wap' : 'page'
    const now = this.#vendor.now()
    this.#vendor.book.put(newOrder(message, { product, credential: undefined, now }))
  }

  #act(
    { orderId, merId }: { readonly orderId: string; readonly merId: string },
    action: BuyerAction,
  ): Response {
    if (action === 'cancel') return resultPage('已取消')
    const moves = {
      pay: () => this.#vendor.pay(orderId, { merId }),
      wait: () => this.#vendor.begin(orderId, { merId }),
      fail: () => this.#vendor.fail(orderId, { merId }),
    }
    const result = moves[action]()
    if (result.kind === 'refused') return resultPage(`未付款：${result.reason}`)
    const order = this.#vendor.book.findOrder(orderId, merId)
    return resultPage(textOf(result.code), order && this.#back(order))
  }

  #back(order: EmulatedOrder): Parameters<typeof resultPage>[1] {
    const { orderId = '', merId } = order.message.fields
    const form = this.#vendor.returnForm(orderId, merId)
    if (form === undefined) return undefined
    const { autoReturn: isAutomatic } = this.#vendor.panel.get()
    return { form, charset: order.message.charset, isAutomatic }
  }
}

const refused = (code: string, text: string): VendorAnswer => ({
  response: errorPage(code, text),
  operation: 'front',
  code,
})

function readAction({ body }: ApiRequest): BuyerAction | undefined {
  const chosen = new URLSearchParams(body).get('action')
  return BUYER_ACTIONS.find((action) => action === chosen)
}

const isSameForm = (one: Fields, other: Fields): boolean => one['signature'] === other['signature']
