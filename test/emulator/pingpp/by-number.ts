import type { Delivery } from '../core/delivery-log.ts'
import type { PingppEmulator } from './emulator.ts'
import type { Forgery } from './forge.ts'

/** The sends about one payment, by our own number. */
export const deliveriesFor = (emulator: PingppEmulator, number: string): readonly Delivery[] =>
  emulator.deliveriesFor(number)

/** Sends a forged callback about one payment, by our own number. */
export const sendForgery = (
  emulator: PingppEmulator,
  forgery: Forgery,
  number: string,
): Promise<Delivery> => emulator.forge({ forgery, orderNumber: number })
