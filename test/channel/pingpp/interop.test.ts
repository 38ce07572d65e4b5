import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import newClient from 'pingpp'
import clientUtils from 'pingpp/lib/utils.js'
import type { RefundRequest } from '#channel/channel'
import * as native from '#channel/crypto-native'
import { importSigningKey, utf8 } from '#channel/crypto'
import { listTarget } from '#channel/pingpp/list'
import { requestMessage, signRequest } from '#channel/pingpp/signature'
import { assert } from '#domain/assert'
import { cny } from '#domain/money'
import { atSecond, publicOf, refundId } from '../support.ts'
import {
  app,
  liveSecret,
  merchantPem,
  reference,
  requestOf,
  signedAt,
  vendorNumber,
  vendorPayment,
  vendorRefund,
} from './support.ts'
import { listOf, refusal, signed, startVendor } from './vendor.ts'
import type { Heard, TinyVendor } from './vendor.ts'

const SIGNATURE = 'pingplusplus-signature'
const TIME = 'pingplusplus-request-timestamp'

/** The vendor's own client, talking to the same loopback vendor as our channel. */
function clientOf(vendor: TinyVendor) {
  const client = newClient(liveSecret)
  const [host = '', port = ''] = vendor.host.split(':')
  client.setHost(host, port, 'http')
  client.setPrivateKey(merchantPem)
  return client['charges']
}

async function ourSignature(request: Parameters<typeof signRequest>[1]): Promise<string> {
  const key = await importSigningKey(merchantPem)
  assert(key !== undefined, 'the sample key is a private key')
  return (await signRequest(key, request))[SIGNATURE] ?? ''
}

const requestIn = ({ target, headers, body }: Heard) => ({
  target,
  body,
  timestamp: headers[TIME] ?? '',
})

function verifies(heard: Heard): boolean {
  const key = native.importVerifyingKey(publicOf(merchantPem))
  assert(key !== undefined, 'the sample key is a public key')
  const message = utf8(requestMessage(requestIn(heard)))
  return native.verify(key, message, heard.headers[SIGNATURE] ?? '')
}

const RE = vendorRefund().id

const listRefunds = (vendor: TinyVendor) =>
  clientOf(vendor).listRefunds(vendorNumber, { limit: 100 })

const retrieveRefund = (vendor: TinyVendor) => clientOf(vendor).retrieveRefund(vendorNumber, RE)

const refundOf = (): RefundRequest => ({
  refundId,
  payment: { ...reference, channelPaymentId: vendorNumber },
  paid: cny(12_800n),
  amount: cny(801n),
  reason: '退货',
  callbackUrl: requestOf().callbackUrl,
})

function preparedBy(vendor: TinyVendor) {
  const outcome = vendor.channel.preparePayment(requestOf())
  assert(outcome.kind === 'prepared', 'the request is fine')
  return outcome.prepared
}

describe('the vendor’s own client', () => {
  test('creates with the bytes, headers and signature that we create with', async () => {
    await using vendor = startVendor([() => signed(200, vendorPayment())])
    const prepared = preparedBy(vendor)
    const parameters: unknown = JSON.parse(prepared.body)
    assert(typeof parameters === 'object' && parameters !== null, 'the body is an object')
    await clientOf(vendor).create(parameters)
    vendor.clock.set(atSecond(Number(vendor.heard[0]?.headers[TIME])))
    await vendor.channel.createPayment(prepared, vendor.record)
    const [theirs, ours] = vendor.heard
    assert(theirs !== undefined && ours !== undefined, 'both asked')
    expect([verifies(theirs), verifies(ours)]).toEqual([true, true])
    for (const name of [SIGNATURE, TIME, 'authorization', 'content-type', 'accept']) {
      expect(ours.headers[name]).toBe(theirs.headers[name] ?? '')
    }
    expect({ ...ours, headers: {} }).toEqual({ ...theirs, headers: {} })
  })

  test('retrieves what we retrieve', async () => {
    await using vendor = startVendor([() => signed(200, vendorPayment())])
    await clientOf(vendor).retrieve(vendorNumber)
    const known = { ...reference, channelPaymentId: vendorNumber }
    await vendor.channel.queryPayment(known, vendor.record)
    const [theirs, ours] = vendor.heard
    assert(theirs !== undefined && ours !== undefined, 'both asked')
    // The client puts an empty query behind every GET, and signs it.
    expect(theirs.target).toBe(`${ours.target}?`)
    expect([verifies(theirs), verifies(ours)]).toEqual([true, true])
    expect(await ourSignature(requestIn(theirs))).toBe(theirs.headers[SIGNATURE] ?? '')
  })

  test('lists with the address that we list with', async () => {
    await using vendor = startVendor([() => signed(200, listOf([]))])
    const window = { product: 'alipay_qr', from: signedAt - 600, until: signedAt + 60 }
    await clientOf(vendor).list({
      app: { id: app },
      channel: window.product,
      created: { gte: window.from, lt: window.until },
      limit: 100,
      starting_after: vendorNumber,
    })
    const [theirs] = vendor.heard
    assert(theirs !== undefined, 'the client asked')
    expect(listTarget(app, window, vendorNumber)).toBe(theirs.target)
    expect(verifies(theirs)).toBe(true)
    expect(await ourSignature(requestIn(theirs))).toBe(theirs.headers[SIGNATURE] ?? '')
  })

  test('refunds with the bytes that we refund with', async () => {
    await using vendor = startVendor([() => signed(200, vendorRefund())])
    await clientOf(vendor).createRefund(vendorNumber, {
      amount: 801,
      description: '退货',
      metadata: { pingzhang_refund: refundId },
    })
    vendor.clock.set(atSecond(Number(vendor.heard[0]?.headers[TIME])))
    await vendor.channel.refund?.submit(refundOf(), vendor.record)
    const [theirs, ours] = vendor.heard
    assert(theirs !== undefined && ours !== undefined, 'both asked')
    expect([verifies(theirs), verifies(ours)]).toEqual([true, true])
    expect(ours.headers[SIGNATURE]).toBe(theirs.headers[SIGNATURE] ?? '')
    expect({ ...ours, headers: {} }).toEqual({ ...theirs, headers: {} })
  })

  test.each([
    [{}, listRefunds, ''],
    [{ channelRefundId: RE }, retrieveRefund, '?'],
  ] as const)('asks for a refund where we ask: %p', async (known, ask, behind) => {
    await using vendor = startVendor([() => signed(200, vendorRefund())])
    await ask(vendor)
    await vendor.channel.refund?.query({ ...refundOf(), ...known }, vendor.record)
    const [theirs, ours] = vendor.heard
    assert(theirs !== undefined && ours !== undefined, 'both asked')
    // The client puts an empty query behind a GET without parameters.
    expect(`${ours.target}${behind}`).toBe(theirs.target)
    expect([verifies(theirs), verifies(ours)]).toEqual([true, true])
  })

  test('signs any text as we sign it', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 80 })
    await fc.assert(
      fc.asyncProperty(text, text, async (body, query) => {
        const target = `/v1/charges?q=${encodeURIComponent(query)}`
        const request = { target, body, timestamp: String(signedAt) }
        const theirs = clientUtils.generateSign(body + target + String(signedAt), merchantPem)
        expect(await ourSignature(request)).toBe(theirs)
      }),
      { numRuns: 20 },
    )
  })

  test('reads our tiny vendor, so it speaks like the real one', async () => {
    await using vendor = startVendor([() => signed(200, vendorPayment())])
    expect(await clientOf(vendor).retrieve(vendorNumber)).toEqual(vendorPayment())
  })

  test('reads its refusals, too', async () => {
    await using vendor = startVendor([() => refusal(401)])
    const [outcome] = await Promise.allSettled([clientOf(vendor).retrieve(vendorNumber)])
    expect(outcome).toMatchObject({ status: 'rejected', reason: { message: '出错了' } })
  })
})
