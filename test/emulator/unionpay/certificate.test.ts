import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'

import { FORGERIES } from './forge.ts'
import { BAD_CERTIFICATES, certIdOf } from './keys.ts'
import type { TestMerchant } from './merchant.ts'
import { startTestMerchant } from './merchant.ts'
import { isSigned } from './signature.ts'

let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant()
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

async function payNew(orderId: string) {
  await merchant.createApp(orderId)
  const result = merchant.emulator.pay(orderId)
  if (result.kind === 'moved') await result.done
  return merchant.received.filter(({ fields }) => fields['orderId'] === orderId)
}

describe('the authority', () => {
  test('is a root, an intermediate, and the vendor’s certificate with the name it must have', () => {
    const { root, intermediate, signing } = merchant.keys.vendor
    const [top, middle, leaf] = [root, intermediate, signing].map(
      ({ certificatePem }) => new X509Certificate(certificatePem),
    )
    if (!top || !middle || !leaf) throw new Error('expected three certificates')
    expect(top.ca && middle.ca).toBe(true)
    expect(leaf.ca).toBe(false)
    expect(top.verify(top.publicKey)).toBe(true)
    expect(middle.checkIssued(top) && middle.verify(top.publicKey)).toBe(true)
    expect(leaf.checkIssued(middle) && leaf.verify(middle.publicKey)).toBe(true)
    expect(leaf.subject).toContain('@中国银联股份有限公司@')
  })

  test('issued the merchant’s certificate too, whose serial is the certId', () => {
    const { certificatePem, certId } = merchant.keys.merchant
    const middle = new X509Certificate(merchant.keys.vendor.intermediate.certificatePem)
    expect(new X509Certificate(certificatePem).verify(middle.publicKey)).toBe(true)
    expect(certId).toBe(certIdOf(certificatePem))
    expect(certId).toMatch(/^\d{11}$/)
  })

  test('did not issue the foreign certificate, though the names are the same', () => {
    const { bad, intermediate, signing } = merchant.keys.vendor
    const foreign = new X509Certificate(bad.foreign_ca.certificatePem)
    const middle = new X509Certificate(intermediate.certificatePem)
    expect(foreign.issuer).toBe(middle.subject)
    expect(foreign.subject).toBe(new X509Certificate(signing.certificatePem).subject)
    expect(foreign.verify(middle.publicKey)).toBe(false)
  })
})

describe('a certificate that does not count', () => {
  test.each(BAD_CERTIFICATES)('goes with callbacks: %s', async (callbackCertificate) => {
    merchant.emulator.setKnobs({ callbackCertificate })
    const orderId = `BAD0${callbackCertificate.replaceAll('_', '').toUpperCase()}`
    await payNew(orderId)
    merchant.emulator.resetKnobs()
    await merchant.emulator.resend(orderId)
    const [bad, good] = merchant.received.filter(({ fields }) => fields['orderId'] === orderId)
    expect([bad?.isGenuine, good?.isGenuine]).toEqual([false, true])
    // Whoever looks at the signature alone believes it.
    expect(isSigned(bad?.fields ?? {}, bad?.fields['signPubKeyCert'] ?? '')).toBe(true)
    const { bad: certificates } = merchant.keys.vendor
    const certId = certIdOf(certificates[callbackCertificate].certificatePem)
    expect(merchant.emulator.deliveriesFor(orderId)[0]).toMatchObject({
      kind: 'forged',
      keySerial: certId,
    })
  })

  test.each(BAD_CERTIFICATES)('goes with answers: %s', async (answerCertificate) => {
    merchant.emulator.setKnobs({ answerCertificate })
    expect((await merchant.query('ANSWER001')).isGenuine).toBe(false)
    merchant.emulator.resetKnobs()
    expect((await merchant.query('ANSWER001')).isGenuine).toBe(true)
  })
})

describe('a forged callback', () => {
  test.each(FORGERIES)('is not believed and changes no order: %s', async (forgery) => {
    const orderNumber = `FORGE${forgery.replaceAll('_', '').toUpperCase()}`
    await merchant.createApp(orderNumber)
    const before = merchant.received.length
    const delivery = await merchant.emulator.forge({ forgery, orderNumber })
    expect(delivery).toMatchObject({ kind: 'forged', orderNumber })
    expect(merchant.received.length).toBe(before + 1)
    const callback = merchant.received.at(-1)
    expect(callback?.isGenuine).toBe(false)
    expect(callback?.fields).toMatchObject({ respCode: '00', txnAmt: '10000' })
    expect(merchant.emulator.order(orderNumber)?.attempt).toBeUndefined()
  })

  test('may say anything to any address', async () => {
    await merchant.emulator.forge({
      forgery: 'rogue_key',
      orderNumber: 'NOSUCH001',
      url: merchant.backUrl,
      fields: { version: '5.1.0', encoding: 'UTF-8', orderId: 'NOSUCH001', txnAmt: '1' },
    })
    expect(merchant.received.at(-1)?.fields).toMatchObject({ orderId: 'NOSUCH001', txnAmt: '1' })
    await expect(
      merchant.emulator.forge({ forgery: 'unsigned', orderNumber: 'NOSUCH002' }),
    ).rejects.toThrow('expected an order')
  })

  test('differs from a genuine one with any fields', async () => {
    const fields = { version: '5.1.0', encoding: 'UTF-8', orderId: 'HANDMADE1', respCode: 'ZZ' }
    const delivery = await merchant.emulator.sendCallback({ url: merchant.backUrl, fields })
    expect(delivery).toMatchObject({ kind: 'genuine', orderNumber: 'HANDMADE1' })
    expect(merchant.received.at(-1)?.isGenuine).toBe(true)
  })
})

test('a new signing certificate takes over, and the old one stays sound', async () => {
  const [before] = await payNew('ROTATE001')
  const certificatePem = await merchant.emulator.rotateSigningCertificate()
  const [after] = await payNew('ROTATE002')
  expect(before?.fields['signPubKeyCert']).not.toBe(after?.fields['signPubKeyCert'] ?? '')
  expect(after?.fields['signPubKeyCert']?.replaceAll('\r', '')).toBe(certificatePem.trim())
  expect([before?.isGenuine, after?.isGenuine]).toEqual([true, true])
  expect((await merchant.query('ROTATE001')).fields['signPubKeyCert']).toBe(
    after?.fields['signPubKeyCert'] ?? '',
  )
  expect(merchant.emulator.deliveriesFor('ROTATE002')[0]?.keySerial).toBe(certIdOf(certificatePem))
})
