import { signCallback } from '../emulator/wechat-pay/callback.ts'
import { claimSuccess, newOrder, orderObject } from '../emulator/wechat-pay/order.ts'
import { APPID, MCHID } from '../support/platform.ts'
import { signSchema } from './callback-set.ts'
import { answer, readArgument } from './child.ts'

// A process that signs its share of the callbacks.

const { keys, now, from, count, path } = readArgument(signSchema)

function sign(index: number): string {
  const number = `p${String(index).padStart(25, '0')}`
  const body = {
    appid: APPID,
    mchid: MCHID,
    description: 'Demo tea set',
    out_trade_no: number,
    notify_url: 'http://127.0.0.1/callback',
    amount: { total: 1999, currency: 'CNY' as const },
  }
  const order = claimSuccess(newOrder('native', body, now), now)
  const callback = signCallback({
    keys: keys.vendor,
    apiV3Key: keys.merchant.apiV3Key,
    plaintext: JSON.stringify(orderObject(order)),
    eventType: 'TRANSACTION.SUCCESS',
    id: crypto.randomUUID(),
    now,
    serialMode: 'public',
  })
  return `${JSON.stringify(callback)}\n`
}

const lines = Array.from({ length: count }, (_, index) => sign(from + index))
await Bun.write(path, lines.join(''))
answer(count)
