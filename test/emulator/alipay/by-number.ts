import type { Delivery } from '../core/delivery-log.ts'
import type { AlipayEmulator } from './emulator.ts'
import type { Forgery } from './forge.ts'
import type { Trade } from './trade.ts'

/** The sends about one payment, by our own number. */
export const deliveriesFor = (emulator: AlipayEmulator, number: string): readonly Delivery[] =>
  emulator.deliveriesFor(number)

/** Sends a forged notice about one payment, by our own number. */
export const sendForgery = (
  emulator: AlipayEmulator,
  forgery: Forgery,
  number: string,
): Promise<Delivery> => emulator.forge({ forgery, outTradeNo: number })

/** A genuine notice about one payment that claims what it is told, by our own number. */
export const sendChanged = (
  emulator: AlipayEmulator,
  number: string,
  changes: Readonly<Record<string, string>>,
): Promise<Delivery> => emulator.sendNotice({ outTradeNo: number, changes })

/** One payment as it stands in the vendor's books, by our own number. */
export const bookedAt = (emulator: AlipayEmulator, number: string): Trade | undefined =>
  emulator.trade(number)
