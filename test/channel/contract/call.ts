import type { PreparedPayment } from '#channel/channel'
import { assert } from '#domain/assert'
import { nameOf, openStage, prepare, productsOf, referenceOf, sentProducts, tell } from './stage.ts'
import type { Stage, StageSetup } from './stage.ts'
import type { ContractVendor, Heard, Product, Signer, Told, Voice } from './vendor.ts'

/** One kind of request to the vendor, and its good answer. */
export interface Call {
  readonly name: string
  readonly product: Product
  /** How its outcome is called when the vendor answers well. */
  readonly good: string
  run(stage: Stage, prepared: PreparedPayment, told: Told): Promise<{ readonly kind: string }>
  answer(voice: Voice, heard: Heard, told: Told): Response
}

const create = (product: Product): Call => ({
  name: `create ${nameOf(product)}`,
  product,
  good: 'created',
  run: (stage, prepared) => stage.channel.createPayment(prepared, stage.record),
  answer: (voice, heard, told) => voice.created(heard, told),
})

const query = (vendor: ContractVendor, product: Product): Call => ({
  name: 'query',
  product,
  good: 'found',
  run: (stage, _prepared, told) =>
    stage.channel.queryPayment(referenceOf(vendor, told), stage.record),
  answer: (voice, heard, told) => voice.found(heard, told),
})

/** With the vendor's number, where a vendor gives it at creation: some are then asked another way. */
const queryByNumber = (vendor: ContractVendor, product: Product): Call => ({
  ...query(vendor, product),
  name: 'query with the number of the vendor',
  run: (stage, _prepared, told) => {
    const reference = { ...referenceOf(vendor, told), channelPaymentId: told.channelPaymentId }
    return stage.channel.queryPayment(reference, stage.record)
  },
})

const close = (vendor: ContractVendor, product: Product): Call => ({
  name: 'close',
  product,
  good: 'closed',
  run: (stage, _prepared, told) => {
    const closing = stage.channel.closePayment?.(referenceOf(vendor, told), stage.record)
    assert(closing !== undefined, 'expected a channel with closePayment')
    return closing
  },
  answer: (voice, heard) => {
    const closed = voice.closed?.(heard)
    assert(closed !== undefined, 'expected a voice that closes')
    return closed
  },
})

/** Every call of this vendor's channel: create for each product that is sent, query, close where it has it. */
export function callsOf(vendor: ContractVendor): readonly Call[] {
  const [product] = productsOf(vendor)
  assert(product !== undefined, 'a vendor has a product')
  return [
    ...sentProducts(vendor).map((sent) => create(sent)),
    query(vendor, product),
    queryByNumber(vendor, product),
    ...(vendor.strategy.capabilities.close ? [close(vendor, product)] : []),
  ]
}

/** Takes the place of an answer; `index` counts the requests of the call from zero. */
export type Change = (
  answer: () => Response,
  index: number,
  heard: Heard,
) => Response | Promise<Response>

export interface CallSetup extends Omit<StageSetup, 'reply'> {
  readonly speaks?: Signer
  readonly change?: Change
  readonly told?: Partial<Told>
}

export interface Performed {
  readonly outcome: { readonly kind: string }
  readonly stage: Stage
  readonly told: Told
}

/** Performs a call from preparing to its outcome, with a vendor that answers well unless it is changed. */
export async function perform(
  vendor: ContractVendor,
  call: Call,
  {
    speaks = 'vendor',
    change = (answer) => answer(),
    told: changes = {},
    ...setup
  }: CallSetup = {},
): Promise<Performed> {
  const voice = vendor.voice(speaks)
  const stage = openStage(vendor, {
    ...setup,
    reply: (heard, index) => change(() => call.answer(voice, heard, told), index, heard),
  })
  const prepared = prepare(stage, vendor, call.product)
  const told = tell(vendor, call.product, prepared, changes)
  return { outcome: await call.run(stage, prepared, told), stage, told }
}
