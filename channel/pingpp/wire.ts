import { jsonMinor, parseMinor } from '#domain/money'
import type { PaymentFacts, VendorState } from '#domain/notification'
import { unixSeconds } from '#domain/time'
import { z } from 'zod'
import type { PaymentRequest } from '../channel.ts'
import { parseJson } from '../json.ts'

/**
 * The vendor's JSON in its own words, and what it means in ours.
 *
 * Fields that we do not need are not looked at: the vendor adds some, and sends `[]` for an object that is
 * empty (Ping++ dossier, section 2.2).
 */

/** Ping++ dossier, section 2.2: the charge object of answers, lists and events. */
const chargeSchema = z.object({
  object: z.literal('charge'),
  id: z.string().min(1).max(64),
  app: z.string().min(1),
  channel: z.string().min(1),
  order_no: z.string().min(1),
  livemode: z.boolean(),
  paid: z.boolean(),
  // Older payloads do not have it.
  reversed: z.boolean().nullish(),
  amount: z.unknown().optional(),
  currency: z.string().nullish(),
  time_paid: z.unknown().optional(),
  // The wallet's number: null until it is paid, and nothing that a payment could fail by.
  transaction_no: z
    .string()
    .regex(/^[\x21-\x7e]{1,64}$/)
    .optional()
    .catch(undefined),
  credential: z.unknown().optional(),
})

/** Ping++ dossier, section 6: at most 100 are asked for. */
export const PAGE_ITEMS_MAX = 100

const listSchema = z.object({
  object: z.literal('list'),
  has_more: z.boolean(),
  data: z
    .array(
      z.looseObject({
        id: z.string().min(1).max(64),
        order_no: z.unknown().optional(),
        metadata: z.unknown().optional(),
      }),
    )
    .max(PAGE_ITEMS_MAX),
})

/** A payment as the vendor holds it. */
export interface VendorPayment {
  readonly id: string
  readonly isLive: boolean
  /** The vendor's `channel`. */
  readonly product: string
  readonly credential: unknown
  readonly facts: PaymentFacts
}

/**
 * Payment rules, section 3: what a state means for money.
 *
 * `refunded` is true even for a refund that failed (Ping++ dossier, section 2.2), so it says nothing here.
 */
function vendorStateOf(paid: boolean, reversed: boolean): readonly [VendorState, string] {
  if (reversed) return ['money_moved', 'reversed=true']
  return paid ? ['success', 'paid=true'] : ['not_yet', 'paid=false']
}

/** A moment in seconds since 1970; `undefined` where there is none that can be read. */
export function readMoment(value: unknown): Date | undefined {
  const seconds = z.int().positive().max(MOMENT_SECONDS_MAX).safeParse(value).data
  return seconds === undefined ? undefined : new Date(seconds * MS_PER_SECOND)
}

const MS_PER_SECOND = 1000
/** What a `Date` can hold. */
const MOMENT_SECONDS_MAX = 8_640_000_000_000

/** Reads a charge object; `undefined` when it is none. The amount is `amount`, never `amount_settle`. */
export function readPayment(value: unknown): VendorPayment | undefined {
  const charge = chargeSchema.safeParse(value).data
  if (charge === undefined) return undefined
  const amountMinor = parseMinor(charge.amount)
  const paidAt = readMoment(charge.time_paid)
  const [vendorState, vendorStateText] = vendorStateOf(charge.paid, charge.reversed === true)
  return {
    id: charge.id,
    isLive: charge.livemode,
    product: charge.channel,
    credential: charge.credential,
    facts: {
      kind: 'payment',
      paymentNumber: charge.order_no,
      identity: { app: charge.app },
      vendorState,
      vendorStateText,
      channelPaymentId: charge.id,
      vendorProduct: charge.channel,
      ...(charge.transaction_no === undefined ? {} : { walletPaymentId: charge.transaction_no }),
      ...(amountMinor === undefined ? {} : { amountMinor }),
      ...(charge.currency ? { currency: charge.currency.toUpperCase() } : {}),
      ...(paidAt === undefined ? {} : { paidAt }),
    },
  }
}

export const parsePayment = (bytes: Uint8Array): VendorPayment | undefined =>
  readPayment(parseJson(bytes))

export interface Page<Item> {
  /** The cursor of the next page; absent on the last one. */
  readonly next: string | undefined
  /** Those with the number that was looked for. */
  readonly found: readonly Item[]
}

type Listed = z.infer<typeof listSchema>['data'][number]

/**
 * Reads a page of a list; `undefined` when it is none, so that it cannot pass for an empty one.
 *
 * So it is when ours cannot be read, or when more is promised behind nothing.
 */
export function readPage<Item>(
  bytes: Uint8Array,
  isOurs: (item: Listed) => boolean,
  read: (item: Listed) => Item | undefined,
): Page<Item> | undefined {
  const list = listSchema.safeParse(parseJson(bytes)).data
  if (list === undefined) return undefined
  const ours = list.data.filter(isOurs)
  const found = ours.map(read).filter((item) => item !== undefined)
  const lastId = list.data.at(-1)?.id
  if (found.length < ours.length || (list.has_more && lastId === undefined)) return undefined
  return { next: list.has_more ? lastId : undefined, found }
}

export const parsePage = (bytes: Uint8Array, number: string): Page<VendorPayment> | undefined =>
  readPage(bytes, (item) => item.order_no === number, readPayment)

export interface CreationTexts {
  readonly app: string
  readonly product: string
  readonly subject: string
  readonly body: string
  readonly extra: Readonly<Record<string, string>>
}

/** Writes the body of a creation (Ping++ dossier, section 2.1), in the order of the vendor's own samples. */
export const writeCreation = (texts: CreationTexts, request: PaymentRequest): string =>
  JSON.stringify({
    order_no: request.paymentId,
    app: { id: texts.app },
    channel: texts.product,
    amount: jsonMinor(request.amount.minor),
    client_ip: request.clientIp,
    currency: request.amount.currency.toLowerCase(),
    subject: texts.subject,
    body: texts.body,
    extra: texts.extra,
    time_expire: unixSeconds(request.expiresAt),
  })

const creationSchema = z.object({
  order_no: z.string(),
  app: z.object({ id: z.string() }),
  channel: z.string(),
  amount: z.unknown().optional(),
  currency: z.string(),
  time_expire: z.unknown().optional(),
})

/** What we once wrote, to compare an answer with; `undefined` when it is not a creation of ours. */
export interface Creation {
  readonly paymentNumber: string
  readonly app: string
  readonly product: string
  readonly amountMinor: bigint | undefined
  readonly currency: string
  readonly expiresAt: Date | undefined
}

export function parseCreation(body: string): Creation | undefined {
  const creation = creationSchema.safeParse(parseJson(Buffer.from(body))).data
  return (
    creation && {
      paymentNumber: creation.order_no,
      app: creation.app.id,
      product: creation.channel,
      amountMinor: parseMinor(creation.amount),
      currency: creation.currency.toUpperCase(),
      expiresAt: readMoment(creation.time_expire),
    }
  )
}
