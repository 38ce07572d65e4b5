import { describe, expect, test } from 'bun:test'
import { isPublicAddress } from '#channel/host'
import { isDelivered } from '#db/event/event-result'
import { Secret } from '#domain/secret'
import { systemClock } from '#domain/time'
import { checkAddress } from '#worker/address'
import { createEventClient } from '#worker/event-client'
import type { EventClientOptions } from '#worker/event-client'
import { makeTlsPair } from '../emulator/merchant/certificate.ts'
import { startMerchant } from '../emulator/merchant/server.ts'

const PUBLIC = '93.184.215.14'
const SECRET = new Secret(
  `whsec_${Buffer.from('a secret of thirty-two bytes ...').toString('base64')}`,
)

const INTERNAL_V4 = [
  ['this network', '0.0.0.0', '0.1.2.3'],
  ['private', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ['loopback', '127.0.0.1', '127.255.255.254'],
  ['link-local and metadata', '169.254.0.1', '169.254.169.254'],
  ['shared (CGNAT)', '100.64.0.1', '100.100.100.200', '100.127.255.255'],
  ['protocols', '192.0.0.1', '192.88.99.1'],
  ['documentation', '192.0.2.1', '198.51.100.7', '203.0.113.9'],
  ['benchmarks', '198.18.0.1', '198.19.255.255'],
  ['multicast, reserved, broadcast', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255'],
].flatMap(([, ...addresses]) => addresses)

const INTERNAL_V6 = [
  ['unspecified, loopback', '::', '::1', '0:0:0:0:0:0:0:1'],
  ['low', '2::1', '3::1', '20::1'],
  [
    'mapped and compatible',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '::ffff:0:127.0.0.1',
  ],
  ['NAT64', '64:ff9b::7f00:1', '64:ff9b:1::a00:1'],
  ['6to4', '2002:7f00:1::', '2002:0a00:0001::1'],
  [
    'Teredo and protocols',
    '2001::1',
    '2001:0000:4136::1',
    '2001:0:1::',
    '2001:10::1',
    '2001:20::1',
  ],
  ['documentation', '2001:db8::1', '2001:0DB8::1', '3fff::1', '3FFF:1::'],
  ['unique local', 'fc00::1', 'fd12:3456::1'],
  ['link-local', 'fe80::1', 'fe80::1%eth0', '2600::1%lo'],
  ['site-local, multicast, discard', 'fec0::1', 'ff02::1', '100::1'],
].flatMap(([, ...addresses]) => addresses)

const PUBLIC_ONES = [
  PUBLIC,
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.255.255',
  '172.32.0.1',
  '192.18.0.1',
  '198.0.2.1',
  '223.255.255.255',
  '2606:4700::1111',
  '2001:4860:4860::8888',
  '2001:470::1',
  '2400:3200::1',
]

describe('DN-07 P15 an address that a name resolves to', () => {
  test.each([...INTERNAL_V4, ...INTERNAL_V6, '', 'localhost', '1.2.3', '010.0.0.1', '0x7f000001'])(
    '%p is refused',
    (address) => expect(isPublicAddress(address)).toBe(false),
  )

  test.each(PUBLIC_ONES)('%s is called', (address) => expect(isPublicAddress(address)).toBe(true))
})

const check = (url: string, ...addresses: readonly string[]) =>
  checkAddress(url, ['127.0.0.1:8080'], () => Promise.resolve(addresses))

describe('DN-07 an address as it is written', () => {
  test.each([
    'http://shop.example/events',
    'ftp://shop.example/',
    'file:///etc/passwd',
    'gopher://shop.example/',
    'javascript:alert(1)',
    'https://user@shop.example/',
    'https://user:secret@shop.example/',
    'https://shop.example:8443/',
    'https://shop.example:5432/',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://db/',
    'https://db.internal/',
    'https://printer.local/',
    'https://router.lan./',
    'https://1.0.0.127.in-addr.arpa/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0x7f.0.0.1/',
    'https://017700000001/',
    'https://0177.0.0.01/',
    'https://0/',
    'https://127.0.0.1./',
    'https://１２７.0.0.1/',
    'https://①②⑦.0.0.1/',
    'https://127%2e0.0.1/',
    'https://127.0.0.1\\@shop.example/',
    'https://169.254.169.254/latest/meta-data/',
    'https://2852039166/',
    'https://[::1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://[2606:4700::1111]/',
    'https://127.0.0.1:8081/',
    'shop.example',
    '//shop.example/',
    '',
  ])('%p is refused, whatever it resolves to', async (url) => {
    expect(await check(url, PUBLIC)).toBeUndefined()
  })

  test('is called at the address that was checked, under the name that was given', async () => {
    expect(await check('https://shop.example/a?b=c#d', PUBLIC)).toEqual({
      url: `https://${PUBLIC}/a?b=c`,
      host: 'shop.example',
      serverName: 'shop.example',
    })
    expect((await check('https://shop.example/', '2606:4700::1111'))?.url).toBe(
      'https://[2606:4700::1111]/',
    )
  })

  test('one of the operator alone may be internal, and at its own port only', async () => {
    expect(await check('http://127.0.0.1:8080/x')).toEqual({
      url: 'http://127.0.0.1:8080/x',
      host: '127.0.0.1:8080',
    })
  })

  test.each([
    [['10.0.0.5']],
    [[PUBLIC, '127.0.0.1']],
    [['2606:4700::1111', '::1']],
    [['::ffff:10.0.0.1']],
    [['64:ff9b::a00:1']],
    [[]],
  ])('a public name that resolves to %p is refused', async (addresses) => {
    expect(await check('https://shop.example/', ...addresses)).toBeUndefined()
  })
})

/** Calls what the client wants to call, and keeps where that was. */
function openClient(changes: Partial<EventClientOptions>) {
  const called: string[] = []
  const client = createEventClient({
    clock: systemClock,
    localHosts: [],
    resolve: () => Promise.resolve([PUBLIC]),
    fetch: (url) => {
      called.push(url)
      return Promise.resolve(new Response(null, { status: 204 }))
    },
    ...changes,
  })
  const send = (url: string) => client.send({ url, id: 'e1', body: '{}', secrets: [SECRET] })
  return { called, send }
}

describe('DN-07 rebinding', () => {
  test('a name that turns internal between two looks is looked up once and called where it was', async () => {
    const answers = [[PUBLIC], ['127.0.0.1'], [PUBLIC]]
    const { called, send } = openClient({ resolve: () => Promise.resolve(answers.shift() ?? []) })
    expect(isDelivered(await send('https://shop.example/events'))).toBe(true)
    expect(called).toEqual([`https://${PUBLIC}/events`])
    // The next attempt looks again: now it is internal, and nothing is called.
    const second = await send('https://shop.example/events')
    expect([second.status, second.error]).toEqual([undefined, 'address refused'])
    expect(called.length).toBe(1)
    expect(isDelivered(await send('https://shop.example/events'))).toBe(true)
  })

  test('a name that is not found, or whose server hangs, is a failure like any', async () => {
    const missing = openClient({
      resolve: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })),
    })
    expect((await missing.send('https://gone.example/')).error).toBe('ENOTFOUND')
    const hanging = openClient({ resolve: () => new Promise(() => undefined), timeoutMs: 50 })
    expect((await hanging.send('https://slow.example/')).error).toBe('TimeoutError')
    expect([...missing.called, ...hanging.called]).toEqual([])
  })
})

describe('DN-07 a redirect', () => {
  test('is not followed, wherever it leads, and is no success', async () => {
    const inside = await startMerchant()
    const merchant = await startMerchant()
    const { send } = openClient({
      localHosts: [merchant.host, inside.host],
      fetch: (url, init) => fetch(url, init),
    })
    for (const location of [inside.url, '/events', 'http://169.254.169.254/latest/']) {
      merchant.setKnobs({ mode: 'redirect', location })
      const result = await send(merchant.url)
      expect([result.status, isDelivered(result)]).toEqual([302, false])
    }
    expect(merchant.arrivals().length).toBe(3)
    expect(inside.arrivals()).toEqual([])
    await merchant.stop()
    await inside.stop()
  })
})

describe('DN-07 TLS', () => {
  /** A real TLS server in the place of the public address. */
  async function openShop(trusted: boolean) {
    const hosts: (string | null)[] = []
    const { cert, key } = await makeTlsPair('shop.example')
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      tls: { cert, key },
      fetch(request) {
        hosts.push(request.headers.get('host'))
        return new Response(null, { status: 204 })
      },
    })
    const { send } = openClient({
      fetch(url, init) {
        const tls = { ...Object(init).tls, ...(trusted ? { ca: cert } : {}) }
        return fetch(url.replace(PUBLIC, `127.0.0.1:${server.port}`), { ...init, tls })
      },
    })
    return { hosts, send, stop: () => server.stop(true) }
  }

  test("the certificate is held against the merchant's name, though the call goes to an address", async () => {
    const shop = await openShop(true)
    expect((await shop.send('https://shop.example/events')).status).toBe(204)
    expect(shop.hosts).toEqual(['shop.example'])
    const other = await shop.send('https://other.example/events')
    expect([other.status, other.error]).toEqual([undefined, 'ERR_TLS_CERT_ALTNAME_INVALID'])
    expect(shop.hosts.length).toBe(1)
    await shop.stop()
  })

  test('a certificate that nobody vouches for is refused', async () => {
    const shop = await openShop(false)
    const result = await shop.send('https://shop.example/events')
    expect([result.status, result.error]).toEqual([undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT'])
    expect(shop.hosts).toEqual([])
    await shop.stop()
  })
})
