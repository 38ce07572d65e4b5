import type { ChannelAccountId } from '#domain/id'
import { signCallback } from '../emulator/wechat-pay/callback.ts'
import type { SignedCallback } from '../emulator/wechat-pay/callback.ts'
import type { SerialMode } from '../emulator/wechat-pay/vendor-signature.ts'
import { vendorSignatureHeaders } from '../emulator/wechat-pay/vendor-signature.ts'
import { APPID, MCHID } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { waitFor } from '../support/wait.ts'

/** What a genuine callback says; what is left out is as it should be. */
export interface Words {
  readonly number: string
  readonly state?: string
  readonly amount?: number
  readonly currency?: string
  readonly mchid?: string
  readonly appid?: string
  readonly extra?: Record<string, unknown>
  readonly id?: string
  readonly vendorNumber?: string
  readonly now?: Date
  readonly serialMode?: SerialMode
  /** Nonce, key serial and signature are made for this body in place of the usual one. */
  readonly reshape?: (body: string) => string
}

/** A callback as `fetch` takes it. */
export interface Sendable {
  readonly headers: Record<string, string> | Headers
  readonly body: string | Uint8Array<ArrayBuffer>
}

/** The vendor's and our side of callbacks, for tests that send them one by one. */
export function createGenuine(platform: Platform) {
  const plaintextOf = (words: Words): string =>
    JSON.stringify({
      mchid: words.mchid ?? MCHID,
      appid: words.appid ?? APPID,
      out_trade_no: words.number,
      transaction_id:
        words.vendorNumber ?? `4200${Date.now()}${Math.trunc(performance.now() * 1000)}`,
      trade_type: 'NATIVE',
      trade_state: words.state ?? 'SUCCESS',
      trade_state_desc: '支付成功',
      bank_type: 'OTHERS',
      success_time: '2026-03-14T09:15:02.120+08:00',
      amount: {
        total: words.amount ?? 1999,
        payer_total: words.amount ?? 1999,
        currency: words.currency ?? 'CNY',
      },
      ...words.extra,
    })

  /** A genuine callback of the vendor, saying these words. */
  function genuine(words: Words): SignedCallback {
    const keys = platform.keys.vendor
    const now = words.now ?? new Date()
    const serialMode = words.serialMode ?? 'public'
    const signed = signCallback({
      keys,
      apiV3Key: platform.keys.merchant.apiV3Key,
      plaintext: plaintextOf(words),
      eventType: 'TRANSACTION.SUCCESS',
      id: words.id ?? crypto.randomUUID(),
      now,
      serialMode,
    })
    if (words.reshape === undefined) return signed
    const body = words.reshape(signed.body)
    const signature = vendorSignatureHeaders({ keys, serialMode, now, body })
    return { headers: { ...signed.headers, ...signature }, body }
  }

  const send = (
    callback: Sendable,
    account: string = platform.accountId,
    url: string = platform.gateway.url,
  ): Promise<Response> =>
    fetch(`${url}/callback/${account}`, {
      method: 'POST',
      headers: callback.headers,
      body: callback.body,
    })

  const rowsFor = (number: string) =>
    platform.db
      .selectFrom('notification')
      .select(['id', 'state', 'quarantine_reason', 'event_key', 'body', 'due_at'])
      .where('payment_number', '=', number)
      .execute()

  const waitForRows = (number: string, state: string) =>
    waitFor(`notification of ${number} ${state}`, async () => {
      const rows = await rowsFor(number)
      return rows.length > 0 && rows.every((row) => row.state === state) ? rows : undefined
    })

  const casesFor = async (subject: string): Promise<string[]> => {
    const rows = await platform.db
      .selectFrom('open_case')
      .select('kind')
      .where('subject', '=', subject)
      .where('state', '=', 'open')
      .execute()
    return rows.map((row) => row.kind)
  }

  /** Reasons of refused callbacks of an account, with how often each is kept. */
  const refusalsOf = async (account: ChannelAccountId): Promise<Record<string, number>> => {
    const rows = await platform.db
      .selectFrom('rejected_callback')
      .select('reason')
      .where('channel_account_id', '=', account)
      .execute()
    const groups = Map.groupBy(rows, (row) => row.reason)
    return Object.fromEntries([...groups].map(([reason, group]) => [reason, group.length]))
  }

  return { genuine, send, rowsFor, waitForRows, casesFor, refusalsOf }
}
