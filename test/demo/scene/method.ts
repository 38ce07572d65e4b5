import type { Method, Wallet } from '#domain/method'
import type { PaymentLine } from '../line.ts'
import type { Narrator } from '../narrator.ts'
import type { Stage } from '../stage.ts'
import { isPaid, playPurchase } from './play.ts'
import type { Purchase } from './play.ts'

type Way = readonly [method: Method, wallet?: Wallet]

/** Everything that each vendor offers. */
const WAYS: Readonly<Record<string, readonly Way[]>> = {
  'wechat-pay': [['qr'], ['jsapi'], ['mini_program'], ['h5'], ['app']],
  alipay: [['page'], ['wap'], ['qr'], ['app'], ['jsapi'], ['mini_program']],
  unionpay: [['page'], ['wap'], ['app'], ['qr']],
  pingpp: [
    ['page', 'alipay'],
    ['wap', 'alipay'],
    ['qr', 'alipay'],
    ['app', 'alipay'],
    ['jsapi', 'wechat_pay'],
    ['qr', 'wechat_pay'],
    ['mini_program', 'wechat_pay'],
    ['h5', 'wechat_pay'],
    ['app', 'wechat_pay'],
    ['page', 'unionpay'],
    ['wap', 'unionpay'],
    ['app', 'unionpay'],
    ['qr', 'unionpay'],
  ],
}

const AMOUNT = 1999
const FEN_PER_YUAN = 100

/** Customers pay through every channel, method and wallet, all at once. */
export async function playMethods(stage: Stage, say: Narrator): Promise<readonly PaymentLine[]> {
  say.step('customers pay through every channel and method')
  const lines = await Promise.all(purchases().map((purchase) => playPurchase(stage, purchase)))
  for (const line of lines) {
    const name = [line.channel, line.wallet, line.method].filter(Boolean).join(' ')
    say.check(`${name}: ${line.next_action}, ${line.state}, ${line.points} points`, isPaid(line, 1))
  }
  return lines
}

const purchases = (): readonly Purchase[] =>
  Object.entries(WAYS).flatMap(([vendor, ways]) =>
    ways.map(([method, wallet], place) => ({
      vendor,
      method,
      amount: AMOUNT + place * FEN_PER_YUAN,
      userId: ['buyer', vendor, wallet, method].filter(Boolean).join('-'),
      ...(wallet && { wallet }),
    })),
  )
