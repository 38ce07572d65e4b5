import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'

import type { BuyerAction } from './buyer-action.ts'
import type { Channel } from './channel-rule.ts'
import type { TestMerchant } from './merchant.ts'
import { chargeBody, startTestMerchant } from './merchant.ts'

const BACK = 'https://shop.example.com/back'
/** What the channels of these tests ask for, all together. */
const EXTRA = { success_url: BACK, result_url: BACK, open_id: 'o1', product_id: 'P1' }

let now = new Date('2026-03-14T10:15:30+08:00')
let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => now })
})

afterAll(async () => {
  await merchant.stop()
})

const record = z.record(z.string(), z.unknown())
const answer = z.object({ credential: record })

async function credentialOf(number: string, channel: Channel): Promise<unknown> {
  const { json } = await merchant.create(number, { channel, subject: 'Tea & <milk>', extra: EXTRA })
  return answer.parse(json).credential[channel]
}

const textsOf = (credential: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(record.parse(credential)).map(([key, value]) => [key, String(value)]),
  )

/** What a client library makes of a credential (dossier 2.5). */
function toAction(channel: Channel, credential: unknown): BuyerAction {
  if (typeof credential === 'string') {
    if (channel === 'alipay_lite') return { type: 'sdk', params: { tradeNO: credential } }
    if (credential.startsWith(merchant.emulator.url)) return { type: 'redirect', url: credential }
    return { type: 'qr_code', content: credential }
  }
  const { channel_url: channelUrl, ...fields } = textsOf(credential)
  if (channel === 'isv_wap') return { type: 'redirect', url: fields['url'] ?? '' }
  if (channelUrl !== undefined && channel.startsWith('alipay')) {
    const query = new URLSearchParams(fields).toString()
    return { type: 'redirect', url: `${channelUrl}?${query}` }
  }
  const isForm = channel === 'upacp_pc' || channel === 'upacp_wap' || channelUrl !== undefined
  return isForm ? { type: 'form', fields } : { type: 'sdk', params: fields }
}

const follow = async (step: 'open' | 'pay', action: unknown) => {
  const response = await fetch(`${merchant.emulator.url}/buyer/${step}`, {
    method: 'POST',
    body: JSON.stringify(action),
  })
  const value: unknown = await response.json()
  return { status: response.status, value }
}

describe('the buyer', () => {
  test.each([
    ['alipay', 'sdk'],
    ['alipay_wap', 'redirect'],
    ['alipay_pc_direct', 'redirect'],
    ['alipay_qr', 'qr_code'],
    ['alipay_lite', 'sdk'],
    ['wx', 'sdk'],
    ['wx_pub', 'sdk'],
    ['wx_pub_qr', 'qr_code'],
    ['wx_wap', 'redirect'],
    ['wx_lite', 'sdk'],
    ['upacp', 'sdk'],
    ['applepay_upacp', 'sdk'],
    ['upacp_wap', 'form'],
    ['upacp_pc', 'form'],
    ['upacp_b2b', 'form'],
    ['cmb_pc_qr', 'form'],
    ['upacp_qr', 'qr_code'],
    ['isv_lite', 'redirect'],
    ['qpay_pub', 'sdk'],
  ] as const)('pays what %s hands out, a %s', async (channel, type) => {
    const number = `BUYER${channel.replace(/_/g, '')}`
    const action = toAction(channel, await credentialOf(number, channel))
    expect(action.type).toBe(type)
    const opened = await follow('open', action)
    expect(opened).toMatchObject({ status: 200, value: { kind: 'opened', orderNumber: number } })
    expect((await follow('pay', action)).value).toMatchObject({ kind: 'paid' })
    expect(merchant.emulator.order(number)?.payment).toBeDefined()
    expect(await follow('pay', action)).toMatchObject({ status: 409, value: { reason: 'paid' } })
  })

  test.each(['alipay_wap', 'upacp_pc', 'wx_pub', 'wx_pub_qr', 'wx_wap'] as const)(
    'is stopped when what %s hands out was altered',
    async (channel) => {
      const number = `ALTER${channel.replace(/_/g, '')}`
      const action = toAction(channel, await credentialOf(number, channel))
      for (const altered of alter(action)) {
        const { status } = await follow('pay', altered)
        expect(status).toBe(409)
      }
      expect(merchant.emulator.order(number)?.payment).toBeUndefined()
      expect((await follow('pay', action)).status).toBe(200)
    },
  )

  test('can open an action from inside the process too', async () => {
    const action = toAction('wx', await credentialOf('INSIDE01', 'wx'))
    expect(merchant.emulator.openAction(action)).toMatchObject({ kind: 'opened', amount: 12_800 })
    expect(merchant.emulator.payAction(action)).toMatchObject({ kind: 'paid' })
    const lost: BuyerAction = { type: 'qr_code', content: 'https://qr.alipay.com/bax1' }
    expect(merchant.emulator.payAction(lost)).toEqual({ kind: 'refused', reason: 'missing' })
    expect(merchant.emulator.openAction(lost)).toEqual({ kind: 'refused', reason: 'missing' })
  })

  test('is too late after time_expire, unless the channel had taken the money', async () => {
    await merchant.create('LATE0001')
    const start = now
    now = new Date(now.getTime() + 24 * 3600 * 1000)
    expect(merchant.emulator.pay('LATE0001')).toEqual({ kind: 'refused', reason: 'expired' })
    expect(merchant.emulator.pay('LATE0001', { isLate: true })).toMatchObject({ kind: 'paid' })
    now = start
  })
})

/** One value changed, and one added. */
function alter(action: BuyerAction): BuyerAction[] {
  switch (action.type) {
    case 'form':
      return [
        { type: 'form', fields: { ...action.fields, txnAmt: '1' } },
        { type: 'form', fields: { ...action.fields, extra: '1' } },
      ]
    case 'redirect':
      return [{ type: 'redirect', url: `${action.url}&total_amount=1` }]
    case 'qr_code':
      return [{ type: 'qr_code', content: `${action.content}?` }]
    case 'sdk':
      return [{ type: 'sdk', params: { ...action.params, nonceStr: 'x' } }]
  }
}

describe('the pages in place of the channels’ own', () => {
  const open = async (url: string, init: RequestInit = {}) => {
    const response = await fetch(url, { redirect: 'manual', ...init })
    return { response, text: await response.text() }
  }
  const buttonOf = (text: string): string => /action="([^"]+)"/.exec(text)?.[1] ?? ''

  test('take a form to UnionPay, and send the buyer back to the shop', async () => {
    const fields = textsOf(await credentialOf('PAGE0001', 'upacp_pc'))
    const url = `${merchant.emulator.url}/gateway/api/frontTransReq.do`
    const { text, response } = await open(url, {
      method: 'POST',
      body: new URLSearchParams(fields),
    })
    expect(response.status).toBe(200)
    expect(text).toContain('Tea &amp; &lt;milk>')
    const paid = await open(merchant.emulator.url + buttonOf(text), { method: 'POST' })
    expect([paid.response.status, paid.response.headers.get('location')]).toEqual([303, BACK])
    const again = await open(merchant.emulator.url + buttonOf(text), { method: 'POST' })
    expect(again.response.status).toBe(409)
    const altered = new URLSearchParams({ ...fields, txnAmt: '1' })
    expect((await open(url, { method: 'POST', body: altered })).response.status).toBe(400)
  })

  test.each(['alipay_wap', 'wx_wap', 'isv_wap'] as const)(
    'stand where %s sends the browser',
    async (channel) => {
      const number = `PAGE${channel.replace(/_/g, '')}`
      const extra = { ...EXTRA, pay_channel: 'wx', terminal_id: '1' }
      const { json } = await merchant.create(number, { channel, extra })
      const action = toAction(channel, answer.parse(json).credential[channel])
      if (action.type !== 'redirect') throw new Error(`expected redirect, got ${action.type}`)
      const { text } = await open(action.url)
      await open(merchant.emulator.url + buttonOf(text), { method: 'POST' })
      expect(merchant.emulator.order(number)?.payment).toBeDefined()
    },
  )

  test('open for a scanned text', async () => {
    const content = String(await credentialOf('PAGE0003', 'wx_pub_qr'))
    const query = new URLSearchParams({ content }).toString()
    const { text } = await open(`${merchant.emulator.url}/buyer/scan?${query}`)
    expect(buttonOf(text)).toBe(`/buyer/${merchant.emulator.order('PAGE0003')?.id}/pay`)
  })

  test('name no gateway for the old services of Alipay', async () => {
    merchant.emulator.setKnobs({ oldAlipay: true })
    const fields = textsOf(await credentialOf('PAGE0004', 'alipay_wap'))
    merchant.emulator.resetKnobs()
    expect(fields).toMatchObject({ service: 'alipay.wap.create.direct.pay.by.user' })
    expect(fields).not.toHaveProperty('channel_url')
    const query = new URLSearchParams({ ...fields, _input_charset: 'utf-8' }).toString()
    const url = `https://mapi.alipay.com/gateway.do?${query}`
    expect(merchant.emulator.payAction({ type: 'redirect', url })).toMatchObject({ kind: 'paid' })
  })

  test('pay a test payment by the address of the browser SDK, and no live one', async () => {
    const apiKey = merchant.keys.merchant.testKey
    await merchant.call('POST', '/v1/charges', { body: chargeBody('PAGE0005'), apiKey })
    await merchant.create('PAGE0006')
    const notify = async (number: string): Promise<string> => {
      const id = merchant.emulator.order(number)?.id ?? ''
      const url = `${merchant.emulator.url}/notify/charges/${id}?livemode=false`
      return (await open(url)).text
    }
    expect(await notify('PAGE0005')).toBe('success')
    expect(await notify('PAGE0006')).toBe('fail')
    const id = merchant.emulator.order('PAGE0005')?.id ?? ''
    const mock = await open(`${merchant.emulator.url}/mock.php?ch_id=${id}`)
    expect(mock.text).toContain('已支付')
  })

  test.each(['/buyer/nobody', '/buyer/scan?content=x', '/mock.php', '/gateway.do?a=1'])(
    'say that there is nothing at %s',
    async (path) => {
      expect((await open(merchant.emulator.url + path)).response.status).toBe(404)
    },
  )
})
