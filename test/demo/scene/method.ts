import type { Capabilities } from '#channel/channel'
import { strategies } from '#channel/strategies'
import { WALLETS } from '#domain/method'
import type { Method, Wallet } from '#domain/method'
import type { Narrator } from '../narrator.ts'
import type { Stage } from '../stage.ts'
import { isAsSold, playPurchase, readLine } from './play.ts'
import type { Purchase, Sale } from './play.ts'

type Way = readonly [method: Method, wallet?: Wallet]

/** Everything that a vendor offers, as its strategy says. */
function waysOf({ methods, wallets }: Capabilities): readonly Way[] {
  if (wallets === undefined) return methods.map((method) => [method])
  return WALLETS.flatMap((wallet) => wallets[wallet].map((method): Way => [method, wallet]))
}

const AMOUNT = 1999
const FEN_PER_YUAN = 100

/** Customers pay through every channel, method and wallet, all at once. */
export async function playMethods(stage: Stage, say: Narrator): Promise<readonly Sale[]> {
  say.step('customers pay through every channel and method')
  const sales = await Promise.all(purchases().map((purchase) => playPurchase(stage, purchase)))
  for (const sale of sales) {
    const line = await readLine(stage, sale)
    const name = [line.channel, line.wallet, line.method].filter(Boolean).join(' ')
    say.check(
      `${name}: ${line.next_action}, ${line.state}, ${line.points} points`,
      isAsSold(line, sale),
    )
  }
  return sales
}

const purchases = (): readonly Purchase[] =>
  Object.entries(strategies).flatMap(([vendor, { capabilities }]) =>
    waysOf(capabilities).map(([method, wallet], place) => ({
      vendor,
      method,
      amount: AMOUNT + place * FEN_PER_YUAN,
      userId: ['buyer', vendor, wallet, method].filter(Boolean).join('-'),
      ...(wallet && { wallet }),
    })),
  )
