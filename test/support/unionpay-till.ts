import { Secret } from '#domain/secret'
import { startUnionpayEmulator } from '../emulator/unionpay/emulator.ts'
import type { UnionpayEmulator } from '../emulator/unionpay/emulator.ts'
import { makeMerchantKeys, makeVendorKeys } from '../emulator/unionpay/keys.ts'
import { payAtUnionpay } from './buyer.ts'
import type { Till } from './till.ts'

/** A till whose vendor shows all its knobs and books. */
export interface UnionpayTill extends Till {
  readonly vendor: UnionpayEmulator
}

const MER_ID = '777290058110109'

export async function openUnionpayTill(): Promise<UnionpayTill> {
  const vendorKeys = await makeVendorKeys()
  const own = await makeMerchantKeys(vendorKeys)
  const vendor = await startUnionpayEmulator({
    vendorKeys,
    merchants: [{ merId: MER_ID, certificatesPem: [own.certificatePem] }],
  })
  return {
    strategy: 'unionpay',
    settings: { merId: MER_ID, base_url: vendor.url },
    keys: [
      { purpose: 'merchant_private', serial: own.certId, value: new Secret(own.privatePem) },
      ...[vendorKeys.root, vendorKeys.intermediate].map(({ certificatePem }, at) => ({
        purpose: 'vendor_root' as const,
        serial: `${at}`,
        value: new Secret(certificatePem),
      })),
    ],
    vendor,
    pay: (orderNumber) => vendor.pay(orderNumber),
    follow: (action) => payAtUnionpay(vendor, action),
  }
}
