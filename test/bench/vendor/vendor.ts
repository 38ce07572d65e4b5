import { z } from 'zod'
import { KEY_PURPOSES } from '#domain/key'

/** One callback as it will be sent, byte for byte; every body here is ASCII or UTF-8 text. */
export const callbackSchema = z.object({
  headers: z.record(z.string(), z.string()),
  body: z.string(),
})

export type Callback = z.infer<typeof callbackSchema>

/** An account of ours at an emulated vendor, as JSON: every process of the benchmark is told it. */
export const accountSchema = z.object({
  strategy: z.string(),
  settings: z.record(z.string(), z.unknown()),
  keys: z.array(z.object({ purpose: z.enum(KEY_PURPOSES), serial: z.string(), value: z.string() })),
})

export type BenchAccount = z.infer<typeof accountSchema>

export type Sign = (index: number) => Callback

/** What the benchmark needs to know of a vendor: how an account is made, and how its callbacks are. */
export interface BenchVendor<Keys> {
  /** The keys of both sides; they cross to other processes as JSON. */
  readonly schema: z.ZodType<Keys>
  makeKeys(now: Date): Promise<Keys>
  account(keys: Keys): BenchAccount
  /** Signs successes of different payments, each with a number and an event of its own. */
  signer(keys: Keys, now: Date): Sign
}

/** A vendor whose keys nobody else looks into. */
export interface SomeVendor {
  open(now: Date): Promise<{ readonly keys: unknown; readonly account: BenchAccount }>
  signer(keys: unknown, now: Date): Sign
}

export function someVendor<Keys>(vendor: BenchVendor<Keys>): SomeVendor {
  return {
    async open(now) {
      const keys = await vendor.makeKeys(now)
      return { keys, account: vendor.account(keys) }
    },
    signer: (keys, now) => vendor.signer(vendor.schema.parse(keys), now),
  }
}

/** The merchant order number of the callback at this place: of the form that we send. */
export const paymentNumber = (index: number): string => `p${String(index).padStart(25, '0')}`

/** Nobody calls it: the callbacks are made beforehand. */
export const CALLBACK_URL = 'http://127.0.0.1/callback'
export const VENDOR_URL = 'http://127.0.0.1:1'
export const SUBJECT = 'Demo tea set'
export const AMOUNT_FEN = 1999
