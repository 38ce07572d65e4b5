import type { Delivery } from '../core/delivery-log.ts'
import type { AlipayEmulator } from './emulator.ts'
import type { Forgery } from './forge.ts'

/** The sends about one payment, by our own number. */
export const deliveriesFor = (emulator: AlipayEmulator, number: string): readonly Delivery[] =>
  emulator.deliveriesFor(number)

/** Sends a forged notice about one payment, by our own number. */
export const sendForgery = (
  emulator: AlipayEmulator,
  forgery: Forgery,
  number: string,
): Promise<Delivery> => emulator.forge({ forgery, outTradeNo: number })
