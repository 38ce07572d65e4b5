import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant } from '#db/account/merchant'
import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import type { WechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { APPID, MCHID, addWechatPay } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

// Each trouble that a command catches, and the one line that an operator reads about it.

const TIMEOUT_MS = 40_000
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const NOBODY = `m${'0'.repeat(25)}`
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-refusal-'))
const at = (name: string): string => join(directory, name)

let database: TestDatabase
let db: Db
let keys: WechatPayKeys
let merchant = ''
let account = ''

beforeAll(async () => {
  ;[database, keys] = await Promise.all([cloneDatabase(), makeWechatPayKeys()])
  db = openDatabase(database.url, workerDatabase, () => undefined)
  const merchantId = await addMerchant(db, 'Tea shop')
  merchant = merchantId
  account = await addWechatPay(db, merchantId, keys, 'http://127.0.0.1:9', 'Till')
  writeFileSync(at('private.pem'), keys.merchant.privateKeyPem)
  writeFileSync(at('vendor.pem'), keys.vendor.publicKeyPem)
  writeFileSync(at('bad-certificate.pem'), PEM_OF_NOTHING)
  writeFileSync(at('apiv3'), keys.merchant.apiV3Key)
}, TIMEOUT_MS)

afterAll(async () => {
  await db.destroy()
  await database.drop()
  rmSync(directory, { recursive: true, force: true })
}, TIMEOUT_MS)

const PEM_OF_NOTHING = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

async function refuse(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: database.url,
      PINGZHANG_SEAL_KEY: '5a'.repeat(32),
      NO_COLOR: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, out, err }
}

async function expectRefused(
  words: readonly string[],
  code: number,
  message: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const result = await refuse(words, env)
  expect(result.err).toMatch(message)
  expect(result.err).toMatch(/^error: [^\n]+\n$/)
  expect({ code: result.code, out: result.out }).toEqual({ code, out: '' })
}

interface Entry {
  readonly merchant?: string
  readonly name?: string
  readonly vendorFile?: string
}

function accountFile(entry: Entry): string {
  const path = at('account.toml')
  writeFileSync(
    path,
    `merchant = "${entry.merchant ?? merchant}"
name = "${entry.name ?? 'Another till'}"
strategy = "wechat-pay"
mode = "test"
[settings]
mchid = "${MCHID}"
appid = "${APPID}"
[[key]]
purpose = "merchant_private"
serial = "${keys.merchant.certificateSerial}"
file = "private.pem"
[[key]]
purpose = "vendor_public"
serial = "${keys.vendor.publicKeyId}"
file = "${entry.vendorFile ?? 'vendor.pem'}"
[[key]]
purpose = "symmetric"
serial = "current"
file = "apiv3"
`,
  )
  return path
}

describe('channel add', () => {
  const add = (path: string): string[] => ['channel', 'add', '--file', path]

  test('of a file that is not there', async () => {
    await expectRefused(add(at('no.toml')), 2, /cannot read the account file/)
  })

  test('of a file that is not TOML, without quoting it', async () => {
    writeFileSync(at('secret.toml'), 'key = "hunter2')
    await expectRefused(add(at('secret.toml')), 2, /is not TOML/)
    expect((await refuse(add(at('secret.toml')))).err).not.toContain('hunter2')
  })

  test('of a certificate that is none', async () => {
    const path = accountFile({ vendorFile: 'bad-certificate.pem' })
    await expectRefused(add(path), 2, /is not X\.509 in PEM/)
  })

  test('for a merchant that is not there', async () => {
    await expectRefused(add(accountFile({ merchant: NOBODY })), 2, /there is no merchant/)
  })

  test('under a name that is taken', async () => {
    await expectRefused(add(accountFile({ name: 'Till' })), 2, /an account of this name/)
  })
})

test('key create for a merchant that is not there', async () => {
  const words = ['key', 'create', '--merchant', NOBODY, '--mode', 'test']
  await expectRefused(words, 2, /there is no merchant/)
})

test('channel test of an account whose stored settings are no longer good', async () => {
  await db
    .updateTable('channel_account')
    .set({ settings: JSON.stringify({ mchid: 'x' }) })
    .execute()
  await expectRefused(['channel', 'test', account], 2, /cannot be used|settings/)
})

test(
  'up where PostgreSQL cannot be started',
  async () => {
    const env = {
      DATABASE_URL: '',
      PINGZHANG_PG_BIN: at('nowhere'),
      PINGZHANG_PUBLIC_URL: 'https://pay.example.com',
      PINGZHANG_POINTS_URL: 'http://127.0.0.1:1',
    }
    await expectRefused(
      ['up', '--data', at('data')],
      3,
      /PostgreSQL does not start: cannot run/,
      env,
    )
  },
  TIMEOUT_MS,
)
