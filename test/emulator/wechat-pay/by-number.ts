import type { Delivery } from '../core/delivery-log.ts'
import type { WechatPayEmulator } from './emulator.ts'
import type { Forgery } from './forge.ts'

/** The sends about one payment, by our own number. */
export const deliveriesFor = (emulator: WechatPayEmulator, number: string): readonly Delivery[] =>
  emulator.deliveriesFor(number)

/** Sends a forged callback about one payment, by our own number. */
export const sendForgery = (
  emulator: WechatPayEmulator,
  forgery: Forgery,
  number: string,
): Promise<Delivery> => emulator.forge({ forgery, outTradeNo: number })
