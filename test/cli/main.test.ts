import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { openDatabase, workerDatabase } from '#db/database'
import { findKeyHolder } from '#db/account/merchant'
import { Secret } from '#domain/secret'
import { startWechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import type { WechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import type { WechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { APPID, MCHID } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

const TIMEOUT_MS = 40_000
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const SEAL_KEY = '5a'.repeat(32)

let database: TestDatabase
let keys: WechatPayKeys
let emulator: WechatPayEmulator
let directory = ''
let merchant = ''
let names = 0
/** Everything that any command printed: no key may be in it. */
let printed = ''

beforeAll(async () => {
  ;[database, keys] = await Promise.all([cloneDatabase(), makeWechatPayKeys()])
  emulator = await startWechatPayEmulator({
    vendorKeys: keys.vendor,
    merchants: [
      {
        mchid: MCHID,
        appids: [APPID],
        merchantCertificateSerial: keys.merchant.certificateSerial,
        merchantPublicKeyPem: keys.merchant.publicKeyPem,
        apiV3Key: keys.merchant.apiV3Key,
      },
    ],
  })
  merchant = (await runJson(MERCHANT, 'merchant', 'add', '--name', 'Tea shop')).merchant
}, TIMEOUT_MS)

afterAll(async () => {
  await emulator.stop()
  await database.drop()
}, TIMEOUT_MS)

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pingzhang-cli-'))
  await write('private.pem', keys.merchant.privateKeyPem)
  await write('vendor.pem', keys.vendor.publicKeyPem)
  await write('vendor-certificate.pem', keys.vendor.certificatePem)
  await write('vendor-private.pem', keys.vendor.certificatePrivatePem)
  // With the line break that every editor adds.
  await write('apiv3', `${keys.merchant.apiV3Key}\n`)
})

afterEach(() => rm(directory, { recursive: true }))

const MERCHANT = z.object({ merchant: z.string() })
const ACCOUNT = z.object({ account: z.string(), callback_path: z.string() })
const KEY = z.object({ key: z.string() })
const STATES = z.array(z.object({ account: z.string(), state: z.string() }))

const write = (name: string, text: string): Promise<number> =>
  Bun.write(join(directory, name), text)

interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

type Env = Readonly<Record<string, string | undefined>>

async function runWith(env: Env, ...words: string[]): Promise<Result> {
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: {
      DATABASE_URL: database.url,
      PINGZHANG_SEAL_KEY: SEAL_KEY,
      PINGZHANG_LOCAL_HOSTS: emulator === undefined ? '' : new URL(emulator.url).host,
      NO_COLOR: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  printed += out + err
  return { code: await child.exited, out, err }
}

const run = (...words: string[]): Promise<Result> => runWith({}, ...words)

async function runJson<T>(schema: z.ZodType<T>, ...words: string[]): Promise<T> {
  const { code, out, err } = await run(...words, '--json')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  return schema.parse(JSON.parse(out))
}

type Entry = Readonly<Record<string, string>>

const entries = (): Record<'own' | 'vendor' | 'certificate' | 'symmetric', Entry> => ({
  own: {
    purpose: 'merchant_private',
    serial: keys.merchant.certificateSerial,
    file: 'private.pem',
  },
  vendor: { purpose: 'vendor_public', serial: keys.vendor.publicKeyId, file: 'vendor.pem' },
  certificate: {
    purpose: 'vendor_public',
    serial: keys.vendor.certificateSerial,
    file: 'vendor-certificate.pem',
  },
  symmetric: { purpose: 'symmetric', serial: 'current', file: 'apiv3' },
})

const toml = (fields: object): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    .join('')

/** Writes an account file with some entries changed, and adds it. */
async function addChannel(changed: Partial<ReturnType<typeof entries>> = {}) {
  names += 1
  const head = { merchant, name: `WeChat ${names}`, strategy: 'wechat-pay', mode: 'test' }
  const settings = { mchid: MCHID, appid: APPID, base_url: emulator.url }
  const tables = Object.values({ ...entries(), ...changed }).map((it) => `[[key]]\n${toml(it)}`)
  const text = `${toml(head)}[settings]\n${toml(settings)}${tables.join('')}`
  await write('account.toml', text)
  return join(directory, 'account.toml')
}

async function addGood(): Promise<string> {
  return (await runJson(ACCOUNT, 'channel', 'add', '--file', await addChannel())).account
}

async function stateOf(account: string): Promise<string | undefined> {
  const listed = await runJson(STATES, 'channel', 'list')
  return listed.find((item) => item.account === account)?.state
}

function expectRefused(result: Result, code: number, message: RegExp): void {
  expect(result.err).toMatch(message)
  // One line, and no trace of a stack.
  expect(result.err).toMatch(/^error: [^\n]+\n$/)
  expect({ code: result.code, out: result.out }).toEqual({ code, out: '' })
}

describe('an operator', () => {
  test(
    'adds a merchant, a key and an account, asks the vendor and takes the account into use',
    async () => {
      const { key } = await runJson(KEY, 'key', 'create', '--merchant', merchant, '--mode', 'test')
      const db = openDatabase(database.url, workerDatabase, () => undefined)
      expect(String((await findKeyHolder(db, new Secret(key)))?.merchantId)).toBe(merchant)
      await db.destroy()
      const file = await addChannel()
      const added = await runJson(ACCOUNT, 'channel', 'add', '--file', file)
      expect(added.callback_path).toBe(`/callback/${added.account}`)
      expect(await stateOf(added.account)).toBe('disabled')
      const tested = await run('channel', 'test', added.account)
      expect(tested).toMatchObject({ code: 0, err: '', out: expect.stringContaining('verified') })
      expect((await run('channel', 'enable', added.account)).code).toBe(0)
      expect(await stateOf(added.account)).toBe('accepting')
    },
    TIMEOUT_MS,
  )

  test(
    'disables an account before it retires it, for good',
    async () => {
      const account = await addGood()
      await run('channel', 'enable', account)
      expectRefused(await run('channel', 'retire', account), 2, /disable it first/)
      expect((await run('channel', 'disable', account)).code).toBe(0)
      expect((await run('channel', 'retire', account)).code).toBe(0)
      expect(await stateOf(account)).toBe('retired')
      expectRefused(await run('channel', 'enable', account), 2, /retired for good/)
    },
    TIMEOUT_MS,
  )

  test(
    'migrates as often as he likes',
    async () => {
      expect(await run('migrate', '--json')).toEqual({
        code: 0,
        out: '{"migrated":true}\n',
        err: '',
      })
    },
    TIMEOUT_MS,
  )

  test(
    'proves a private key with the certificate of the pair',
    async () => {
      await write('pair.pem', keys.vendor.certificatePrivatePem)
      const own = {
        ...entries().own,
        serial: keys.vendor.certificateSerial.toLowerCase(),
        file: 'pair.pem',
        certificate_file: 'vendor-certificate.pem',
      }
      expect((await run('channel', 'add', '--file', await addChannel({ own }))).code).toBe(0)
    },
    TIMEOUT_MS,
  )
})

describe('channel add refuses', () => {
  const cases: [string, () => Partial<ReturnType<typeof entries>>, RegExp][] = [
    ['an APIv3 key of 31 bytes', () => ({ symmetric: at('symmetric', 'short') }), /32 bytes/],
    ['a file that is not there', () => ({ own: at('own', 'no.pem') }), /cannot read its file/],
    [
      'a key in place of the path of its file',
      () => ({ symmetric: at('symmetric', keys.merchant.apiV3Key) }),
      /cannot read its file/,
    ],
    [
      'a private key of another certificate',
      () => ({ own: { ...entries().own, certificate_file: 'vendor-certificate.pem' } }),
      /belongs to another private key/,
    ],
    [
      'a certificate of another serial',
      () => ({ certificate: { ...entries().certificate, serial: 'ABCDEF' } }),
      /has the serial/,
    ],
    [
      'a private key of the vendor',
      () => ({ vendor: at('vendor', 'vendor-private.pem') }),
      /private/,
    ],
    ['a public key of its own side', () => ({ own: at('own', 'vendor.pem') }), /not RSA in PEM/],
    ['a field that it does not know', () => ({ own: { ...entries().own, fiel: 'x' } }), /fiel/],
    [
      'a key in place of its serial',
      () => ({ symmetric: { ...entries().symmetric, serial: keys.merchant.apiV3Key } }),
      /serial is part of the key/,
    ],
  ]
  test.each(cases)(
    '%s',
    async (_, changed, message) => {
      await write('short', keys.merchant.apiV3Key.slice(1))
      const file = await addChannel(changed())
      expectRefused(await run('channel', 'add', '--file', file), 2, message)
    },
    TIMEOUT_MS,
  )

  const at = (name: keyof ReturnType<typeof entries>, file: string): Entry => ({
    ...entries()[name],
    file,
  })
})

describe('the exit code', () => {
  test('is 3 with the seal key of another installation', async () => {
    const account = await addGood()
    const other = { PINGZHANG_SEAL_KEY: '5b'.repeat(32) }
    expectRefused(await runWith(other, 'channel', 'enable', account), 3, /PINGZHANG_SEAL_KEY/)
  })

  test('is 4 when the vendor does not take our signature', async () => {
    const own = { ...entries().own, file: 'vendor-private.pem' }
    const file = await addChannel({ own })
    const { account } = await runJson(ACCOUNT, 'channel', 'add', '--file', file)
    expectRefused(await run('channel', 'test', account), 4, /SIGN_ERROR/)
  })

  test('is 2 for a second merchant of one name', async () => {
    expectRefused(await run('merchant', 'add', '--name', 'Tea shop'), 2, /already/)
  })

  test('is 2 for an account that is not there', async () => {
    expectRefused(await run('channel', 'enable', `a${'0'.repeat(25)}`), 2, /no account/)
  })
})

test('nothing that was printed holds a key', () => {
  const pems = [keys.merchant.privateKeyPem, keys.vendor.certificatePrivatePem]
  const lines = pems.flatMap((pem) => pem.split('\n')).filter((line) => line.length > 40)
  expect(printed.length).toBeGreaterThan(1000)
  for (const text of [...lines, 'PRIVATE KEY', keys.merchant.apiV3Key, SEAL_KEY]) {
    expect(printed.includes(text)).toBe(false)
  }
})
