import { describe, expect, test } from 'bun:test'
import type { Channel } from '#channel/channel'
import { isAllowedUrl } from '#channel/host'
import { assert } from '#domain/assert'
import { METHODS, WALLETS } from '#domain/method'
import type { Method, NextAction } from '#domain/method'
import { addMs } from '#domain/time'
import {
  nameOf,
  openStage,
  prepare,
  productsOf,
  requestOf,
  sameProduct,
  sentProducts,
  tell,
} from './stage.ts'
import type { Reply } from './stage.ts'
import type { ContractVendor, ExpiryBounds, Product } from './vendor.ts'

/** Design, section 5: what the customer is given, by method. */
const ACTIONS: Readonly<Record<Method, readonly NextAction['type'][]>> = {
  qr: ['qr_code'],
  page: ['form', 'redirect'],
  wap: ['form', 'redirect'],
  h5: ['redirect'],
  jsapi: ['sdk'],
  mini_program: ['sdk'],
  app: ['sdk'],
}

export function describeCapabilities(vendor: ContractVendor): void {
  const { capabilities } = vendor.strategy
  describe('capabilities', () => {
    test('are one list of methods, without a repeat, and the wallets add up to it', () => {
      const methods = productsOf(vendor).map(({ method }) => method)
      expect(methods.length).toBeGreaterThan(0)
      expect(new Set(capabilities.methods).size).toBe(capabilities.methods.length)
      expect(new Set(methods)).toEqual(new Set(capabilities.methods))
      expect(openStage(vendor).channel.capabilities).toEqual(capabilities)
    })

    test('have parts where they say so, and nowhere else', () => {
      const { channel } = openStage(vendor)
      expect(channel.closePayment !== undefined).toBe(capabilities.close)
      expect(channel.refund !== undefined).toBe(capabilities.refund)
      expect(vendor.refund !== undefined).toBe(capabilities.refund)
      expect(vendor.voice('vendor').refund !== undefined).toBe(capabilities.refund)
      expect(hasMember(channel, /bill/i)).toBe(capabilities.bill)
    })

    test('name a pace of queries, and lives of credentials of listed methods', () => {
      const pace = capabilities.queryPaceSeconds
      expect(pace.length).toBeGreaterThan(0)
      expect(pace).toEqual(pace.toSorted((a, b) => a - b))
      for (const [method, seconds] of Object.entries(capabilities.credentialSeconds)) {
        expect(capabilities.methods.map(String)).toContain(method)
        expect(seconds).toBeGreaterThan(0)
      }
    })

    test('refuse what they do not list', () => {
      const { channel, heard } = openStage(vendor)
      const listed = productsOf(vendor)
      const wallets = capabilities.wallets === undefined ? [undefined] : [undefined, ...WALLETS]
      for (const wallet of wallets) {
        const products = METHODS.map((method) => (wallet ? { method, wallet } : { method }))
        for (const product of products.filter((one) => !listed.some((l) => sameProduct(l, one)))) {
          expect(channel.preparePayment(requestOf(vendor, product))).toMatchObject({
            kind: 'refused',
          })
        }
      }
      expect(heard).toEqual([])
    })
  })

  describe('an account', () => {
    test('is in order with all its keys, and names each one that it lacks', () => {
      const { settings, keys } = vendor.account('vendor')
      expect(vendor.strategy.checkAccount(settings, keys)).toEqual([])
      for (const purpose of vendor.strategy.requiredKeys) {
        const others = keys.filter((key) => key.purpose !== purpose)
        expect(others.length).toBeLessThan(keys.length)
        expect(vendor.strategy.checkAccount(settings, others).join()).toContain(purpose)
      }
    })

    test('is called by the same names everywhere', () => {
      const { settings } = vendor.account('vendor')
      const { channel } = openStage(vendor)
      expect(vendor.strategy.identity(settings)).toEqual(channel.identity)
      expect(Object.values(channel.identity).filter((name) => name !== '')).not.toEqual([])
      expect(vendor.strategy.vendorMerchant(settings).number).not.toBe('')
    })
  })

  describe.each(productsOf(vendor).map((product) => [nameOf(product), product] as const))(
    'the product %s',
    (_name, product) => describeProduct(vendor, product),
  )
}

function hasMember(channel: Channel, name: RegExp): boolean {
  return Object.entries(channel).some(([key, value]) => name.test(key) && value !== undefined)
}

function describeProduct(vendor: ContractVendor, product: Product): void {
  test('is prepared without a word to the vendor', async () => {
    const stage = openStage(vendor)
    const prepared = prepare(stage, vendor, product)
    await Promise.resolve()
    expect(stage.heard).toEqual([])
    expect(prepared).toMatchObject({
      method: product.method,
      returnUrl: requestOf(vendor, product).returnUrl,
    })
    expect(prepared.body).toContain(prepared.paymentId)
  })

  test('gives the customer what the method promises', async () => {
    const { nextAction } = await created(vendor, product)
    expect(ACTIONS[product.method]).toContain(nextAction.type)
    expectUsable(nextAction)
  })

  test('is sent, or handed out without a request, as the vendor says', async () => {
    const { heard } = await created(vendor, product)
    const isSent = sentProducts(vendor).some((one) => sameProduct(one, product))
    expect(heard.length > 0).toBe(isSent)
  })

  test('is handed out the same when it is asked for again', async () => {
    if (sentProducts(vendor).some((one) => sameProduct(one, product))) return
    const stage = openStage(vendor)
    const prepared = prepare(stage, vendor, product)
    const first = await stage.channel.createPayment(prepared, stage.record)
    stage.now = addMs(vendor.now, 60_000)
    expect(await stage.channel.createPayment(prepared, stage.record)).toEqual(first)
  })

  test('keeps its deadline within its bounds', () => {
    const { channel } = openStage(vendor)
    const { minSeconds, maxSeconds } = boundsOf(vendor, product)
    const outcome = (seconds: number) =>
      channel.preparePayment(
        requestOf(vendor, product, { expiresAt: addMs(vendor.now, seconds * 1000) }),
      ).kind
    expect(outcome(minSeconds)).toBe('prepared')
    expect(outcome(maxSeconds)).toBe('prepared')
    for (const seconds of [minSeconds - 1, maxSeconds + 1, 0, -60]) {
      expect(outcome(seconds)).toBe('refused')
    }
  })
}

function boundsOf({ strategy, narrowerExpiry }: ContractVendor, product: Product): ExpiryBounds {
  const { expiresInSecondsMin, expiresInSecondsMax } = strategy.capabilities
  const narrower = narrowerExpiry.find((one) => sameProduct(one, product))
  return {
    minSeconds: narrower?.minSeconds ?? expiresInSecondsMin,
    maxSeconds: narrower?.maxSeconds ?? expiresInSecondsMax,
  }
}

async function created(vendor: ContractVendor, product: Product) {
  const voice = vendor.voice('vendor')
  const reply: Reply = (heard) => voice.created(heard, tell(vendor, product, prepared))
  const stage = openStage(vendor, { reply })
  const prepared = prepare(stage, vendor, product)
  const outcome = await stage.channel.createPayment(prepared, stage.record)
  assert(outcome.kind === 'created', `expected created, found ${Bun.inspect(outcome)}`)
  return { nextAction: outcome.nextAction, heard: stage.heard }
}

/** Every text is there, and a browser is sent to the public and by https only. */
function expectUsable(action: NextAction): void {
  switch (action.type) {
    case 'qr_code':
      return expect(action.content).not.toBe('')
    case 'redirect':
      return expect(isAllowedUrl(action.url, [])).toBe(true)
    case 'form':
      expect(isAllowedUrl(action.action, [])).toBe(true)
      return expectTexts(action.fields)
    case 'sdk':
      return expectTexts(action.params)
  }
}

function expectTexts(record: Readonly<Record<string, string>>): void {
  expect(Object.keys(record).length).toBeGreaterThan(0)
  for (const value of Object.values(record)) expect(value).toMatch(/./)
}
