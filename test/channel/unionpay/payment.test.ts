import { verify } from 'node:crypto'
import { describe, expect, test } from 'bun:test'
import type { CreateOutcome, PaymentRequest, PreparedPayment } from '#channel/channel'
import { renderPage } from '#gateway/page/layout'
import { html } from 'hono/html'
import { assert } from '#domain/assert'
import { keyOf, unarmour } from '../support.ts'
import type { Built, ChannelSetup } from '../support.ts'
import {
  buildChannel,
  certId,
  chain,
  defaultKeys,
  merchantPem,
  requestOf,
  sha256,
  textOf,
} from './support.ts'
import type { Message } from './support.ts'
import { answering, startVendor } from './vendor.ts'
import type { Reply } from './vendor.ts'

function prepare({ channel }: Built, changes: Partial<PaymentRequest> = {}): PreparedPayment {
  const outcome = channel.preparePayment(requestOf(changes))
  assert(outcome.kind === 'prepared', 'the request is good')
  return outcome.prepared
}

async function create(
  changes: Partial<PaymentRequest>,
  reply: Reply,
  setup: ChannelSetup = {},
): Promise<CreateOutcome> {
  await using vendor = startVendor([reply], setup)
  return await vendor.channel.createPayment(prepare(vendor, changes), vendor.record)
}

function isOurs(message: Message): boolean {
  const signature = Buffer.from(message['signature'] ?? '', 'base64')
  const digest = Buffer.from(sha256(textOf(message)))
  return verify('sha256', digest, chain.merchant.certificate, signature)
}

async function formOf(changes: Partial<PaymentRequest>, setup: ChannelSetup = {}) {
  const built = buildChannel(setup)
  const outcome = await built.channel.createPayment(prepare(built, changes), built.record)
  assert(outcome.kind === 'created' && outcome.nextAction.type === 'form', 'a form was made')
  return { ...outcome.nextAction, exchanges: built.exchanges }
}

describe('the form of the front gateway', () => {
  test.each([
    ['page', {}, 'https://gateway.95516.com'],
    ['wap', { environment: 'live' }, 'https://gateway.95516.com'],
    ['page', { environment: 'test' }, 'https://gateway.test.95516.com'],
    ['wap', { base_url: 'https://acp.example.com' }, 'https://acp.example.com'],
  ] as const)(
    'unionpay checklist 22: of %s with %j leads to %s',
    async (method, settings, host) => {
      const { action, fields, exchanges } = await formOf({ method }, { settings })
      expect(action).toBe(`${host}/gateway/api/frontTransReq.do`)
      expect(exchanges).toEqual([])
      const built = buildChannel()
      const prepared = Object.fromEntries(new URLSearchParams(prepare(built, { method }).body))
      expect(fields).toEqual({
        ...prepared,
        certId,
        signMethod: '01',
        signature: expect.any(String),
      })
      expect(isOurs(fields)).toBe(true)
    },
  )

  test('unionpay checklist 22: its fields come through HTML as they were signed', async () => {
    const { fields } = await formOf({ subject: `a"><b>'&amp;` })
    const inputs = Object.entries(fields).map(
      ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
    )
    const page = { title: 't', body: html`${inputs}`, hasOwnForm: false }
    const text = await (await renderPage(page)).text()
    const read: Record<string, string> = {}
    await new HTMLRewriter()
      .on('input', {
        element(input) {
          read[input.getAttribute('name') ?? ''] = unescaped(input.getAttribute('value') ?? '')
        },
      })
      .transform(new Response(text))
      .text()
    expect(read).toEqual(fields)
    expect(isOurs(read)).toBe(true)
  })

  test('is the same whenever it is asked for: it holds the time of the attempt', async () => {
    const built = buildChannel()
    const prepared = prepare(built)
    const first = await built.channel.createPayment(prepared, built.record)
    built.clock.set(new Date(built.clock.now().getTime() + 600_000))
    expect(await built.channel.createPayment(prepared, built.record)).toEqual(first)
  })

  test('is signed with the key in force, under that key’s own number', async () => {
    const old = keyOf('merchant_private', '1', unarmour(chain.other.privateKey), {
      validFrom: new Date('2020-01-01'),
      validUntil: new Date('2026-03-01'),
    })
    const current = keyOf('merchant_private', certId, merchantPem, {
      validFrom: new Date('2026-01-01'),
    })
    const next = keyOf('merchant_private', '3', unarmour(chain.other.privateKey), {
      validFrom: new Date('2026-04-01'),
    })
    const keys = [old, next, current, ...defaultKeys.slice(1)]
    const { fields } = await formOf({}, { keys })
    expect(fields['certId']).toBe(certId)
    expect(isOurs(fields)).toBe(true)
    const none = buildChannel({ keys: [old, ...defaultKeys.slice(1)] })
    const making = none.channel.createPayment(prepare(none), none.record)
    await expect(making).rejects.toThrow('no valid merchant_private key')
  })
})

const unescaped = (text: string): string =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')

describe('an app', () => {
  test.each([
    ['live', '00'],
    ['test', '01'],
  ])('unionpay checklist 23: in %s gets the tn and the mode %s', async (environment, mode) => {
    const reply = answering({
      respCode: '00',
      respMsg: '成功[0000000]',
      tn: '736245498437280325601',
    })
    expect(await create({ method: 'app' }, reply, { settings: { environment } })).toEqual({
      kind: 'created',
      nextAction: { type: 'sdk', params: { tn: '736245498437280325601', mode } },
    })
  })

  test('unionpay checklist 23: gets no tn that the vendor did not sign, or with another code', async () => {
    const forged: Reply = async (heard) => {
      const good = await answering({ respCode: '00', tn: '1' })(heard)
      return new Response((await good.text()).replace('tn=1', 'tn=2'))
    }
    expect(await create({ method: 'app' }, forged)).toEqual({
      kind: 'unknown',
      cause: 'bad_signature',
    })
    const later = answering({ respCode: '05', tn: '1' })
    expect(await create({ method: 'app' }, later)).toEqual({
      kind: 'unknown',
      cause: 'respCode 05',
    })
  })

  test('is ordered at its own address', async () => {
    await using vendor = startVendor([answering({ respCode: '00', tn: '1' })])
    await vendor.channel.createPayment(prepare(vendor, { method: 'app' }), vendor.record)
    expect(vendor.heard.map(({ path }) => path)).toEqual(['/gateway/api/appTransReq.do'])
    expect(isOurs(vendor.heard[0]?.fields ?? {})).toBe(true)
  })
})

describe('a code to scan', () => {
  test('unionpay checklist 25: is what the vendor calls qrCode, as it is', async () => {
    const qrCode = 'https://qr.95516.com/00010000/62442401051450467846498'
    await using vendor = startVendor([answering({ respCode: '00', qrCode })])
    const prepared = prepare(vendor, { method: 'qr' })
    expect(await vendor.channel.createPayment(prepared, vendor.record)).toEqual({
      kind: 'created',
      nextAction: { type: 'qr_code', content: qrCode },
    })
    const [heard] = vendor.heard
    expect(heard?.path).toBe('/gateway/api/backTransReq.do')
    expect(heard?.fields).toMatchObject({ txnSubType: '07', bizType: '000000' })
  })

  test('without a code in the answer is unknown', async () => {
    expect(await create({ method: 'qr' }, answering({ respCode: '00', tn: '1' }))).toMatchObject({
      kind: 'unknown',
    })
  })
})

describe('an order that the vendor does not take', () => {
  test.each(['10', '11', '13', '31', '33', '43', '94'])('is refused with %s', async (respCode) => {
    const reply = answering({ respCode, respMsg: '失败[9100004]' })
    expect(await create({ method: 'qr' }, reply)).toEqual({
      kind: 'refused',
      code: respCode,
      message: '失败[9100004]',
    })
  })

  test.each(['03', '04', '05', '06', '70', '83', '34', '37', '42', '99', 'A6', 'ZZ'])(
    'unionpay checklist 26: is unknown with %s, and is not sent again',
    async (respCode) => {
      await using vendor = startVendor([answering({ respCode })])
      const prepared = prepare(vendor, { method: 'qr' })
      expect(await vendor.channel.createPayment(prepared, vendor.record)).toEqual({
        kind: 'unknown',
        cause: `respCode ${respCode}`,
      })
      expect(vendor.heard).toHaveLength(1)
    },
  )

  /** A number that is used, and what the query says of it. */
  async function createUsed(method: 'qr' | 'app', fate: Message) {
    await using vendor = startVendor([answering({ respCode: '12' }), answering(fate)])
    const prepared = prepare(vendor, { method })
    const outcome = await vendor.channel.createPayment(prepared, vendor.record)
    return { outcome, prepared, heard: vendor.heard }
  }

  const found = {
    respCode: '00',
    txnType: '01',
    queryId: '442401051450467846498',
    txnAmt: '1999',
    currencyCode: '156',
  }

  test.each([
    ['used', 'is not begun', { respCode: '34' }],
    ['used', 'has failed', { ...found, origRespCode: '66' }],
    ['unknown', 'is paid', { ...found, origRespCode: '00' }],
    ['unknown', 'moved money too late', { ...found, origRespCode: '42' }],
    ['unknown', 'may be paid', { ...found, origRespCode: '04' }],
    ['unknown', 'was asked about too often', { respCode: '37' }],
  ])('is %s with 12 when it %s, and is not sent again', async (kind, _what, fate) => {
    for (const method of ['qr', 'app'] as const) {
      const { outcome, prepared, heard } = await createUsed(method, fate)
      expect<string>(outcome.kind).toBe(kind)
      expect(heard.map(({ fields }) => fields['txnType'])).toEqual(['01', '00'])
      const { orderId, txnTime } = heard[1]?.fields ?? {}
      expect([orderId, txnTime]).toEqual([prepared.paymentId, prepared.vendorTime])
    }
  })

  test('unionpay checklist 26: is unknown without an answer', async () => {
    const setup = { deps: { timeoutMs: 50 } }
    expect(await create({ method: 'app' }, () => new Promise(() => undefined), setup)).toEqual({
      kind: 'unknown',
      cause: 'timeout',
    })
    const nowhere = { settings: { base_url: 'http://127.0.0.1:1' } }
    expect((await create({ method: 'qr' }, () => new Response(), nowhere)).kind).toBe('unknown')
  })
})
