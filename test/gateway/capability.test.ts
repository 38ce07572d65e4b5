import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import { strategies } from '#channel/strategies'
import { viewCapabilities } from '#gateway/capability'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { READMES, renew, shownIn, tableFor } from './capability-table.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const get = (headers: Readonly<Record<string, string>>): Promise<Response> =>
  fetch(`${platform.gateway.url}/v1/capabilities`, { headers })

describe('GET /v1/capabilities', () => {
  test('lists every channel of this program, as its strategy says', async () => {
    const response = await get({ authorization: `Bearer ${platform.apiKey}` })
    expect(response.status).toBe(200)
    const body: unknown = await response.json()
    expect(body).toEqual({ object: 'list', data: viewCapabilities(strategies) })
    const names = Object.values(strategies).map(({ channelName }) => channelName)
    expect(viewCapabilities(strategies).map(({ channel }) => channel)).toEqual(names.toSorted())
    for (const { capabilities, channelName } of Object.values(strategies)) {
      expect(viewCapabilities(strategies).find(({ channel }) => channel === channelName)).toEqual({
        channel: channelName,
        methods: capabilities.methods,
        wallets: capabilities.wallets ?? null,
        close: capabilities.close,
        refund: capabilities.refund,
        bill: capabilities.bill,
        expires_in_s: {
          min: capabilities.expiresInSecondsMin,
          max: capabilities.expiresInSecondsMax,
        },
      })
    }
  })

  test('wants an API key, like the rest of the merchant API', async () => {
    expect((await get({})).status).toBe(401)
    expect((await get({ authorization: 'Bearer sk_nobody_has_this_key' })).status).toBe(401)
  })
})

describe.each(READMES)('the table of %s', (readme) => {
  const read = () => Bun.file(fileURLToPath(new URL(`../../${readme}`, import.meta.url))).text()

  test('says what the code can do; if not: bun test/gateway/capability-table.ts, then bun fmt', async () => {
    expect(shownIn(await read())).toEqual([...tableFor(readme)])
  })

  test('is renewed by the script, which changes nothing else', async () => {
    const text = await read()
    const wrong = text.replace('✓', '–')
    expect(wrong).not.toBe(text)
    expect(shownIn(wrong)).not.toEqual([...tableFor(readme)])
    expect(shownIn(renew(readme, wrong))).toEqual([...tableFor(readme)])
    expect(renew(readme, text).split('<!-- capabilities').at(0)).toBe(
      text.split('<!-- capabilities').at(0) ?? '',
    )
  })
})
