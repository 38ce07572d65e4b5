import { assert } from '#domain/assert'
import type { NextAction } from '#domain/method'
import { submitForm } from '../emulator/alipay/buyer.ts'
import type { AlipayEmulator } from '../emulator/alipay/emulator.ts'
import { openCashier, postForm } from '../emulator/unionpay/buyer.ts'
import type { UnionpayEmulator } from '../emulator/unionpay/emulator.ts'

/** The buyer opens Alipay's cashier with what the shop handed out, as far as a buyer has to. */
export async function openAtAlipay(emulator: AlipayEmulator, action: NextAction): Promise<void> {
  if (action.type === 'form') await submitForm(action)
  if (action.type === 'redirect') await fetch(action.url, { redirect: 'manual' })
  const orderString = action.type === 'sdk' ? action.params['orderString'] : undefined
  if (orderString === undefined) return
  const { kind } = emulator.takeOrderString(orderString)
  assert(kind === 'taken', `expected that the wallet takes the order string, found ${kind}`)
}

/** The buyer pays at UnionPay, and the browser goes back to the shop where there is one. */
export async function payAtUnionpay(emulator: UnionpayEmulator, action: NextAction): Promise<void> {
  if (action.type === 'form') {
    const cashier = await openCashier(action)
    const result = await cashier.press('pay')
    if (result.returnForm !== undefined) await postForm(result.returnForm)
    return
  }
  const target = action.type === 'sdk' ? action.params['tn'] : contentOf(action)
  const { kind } = emulator.pay(target ?? '')
  assert(kind !== 'refused', `expected that ${target} can be paid`)
}

const contentOf = (action: NextAction): string => (action.type === 'qr_code' ? action.content : '')
