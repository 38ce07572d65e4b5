import { APP, startTestMerchant } from '../../emulator/pingpp/merchant.ts'
import { describeBillDay } from '../bill-day-contract.ts'
import { keyOf } from '../support.ts'
import { buildChannel, requestOf } from './support.ts'

describeBillDay({
  name: 'pingpp',
  readyAt: '04:00:00',
  async start() {
    let now = new Date('2026-03-14T12:00:00+08:00')
    const { emulator, keys, stop } = await startTestMerchant({ clock: () => now })
    const built = buildChannel({
      at: now,
      settings: { app: APP, base_url: emulator.url },
      keys: [
        keyOf('api_secret', 'secret', keys.merchant.liveKey),
        keyOf('merchant_private', 'own', keys.merchant.privateKeyPem),
        keyOf('vendor_public', 'vendor', keys.vendor.publicKeyPem),
      ],
      deps: { fetch: (url, init) => fetch(url, init), localHosts: [new URL(emulator.url).host] },
    })
    return {
      built,
      setNow(moment) {
        now = moment
        built.clock.set(moment)
      },
      requestOf,
      pay: (number) => emulator.pay(number),
      setKnobs: (patch) => emulator.setKnobs(patch),
      resetKnobs: () => emulator.resetKnobs(),
      channelPaymentIdOf: (number) => emulator.order(number)?.id,
      stop,
    }
  },
})
