import forge from 'node-forge'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createPrivateKey } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { parseAccountFile } from '#cli/account-file'
import { loadKey } from '#cli/key-file'
import { openPfx } from '#cli/pfx-file'
import { addMerchant } from '#db/account/merchant'
import { findAccount } from '#db/account/account'
import { openDatabase, workerDatabase } from '#db/database'
import { loadSealKey } from '#db/config'
import { assert } from '#domain/assert'
import { parseChannelAccountId } from '#domain/id'
import { Secret } from '#domain/secret'
import chain from '../fixture/unionpay/chain.json'
import pfx from '../fixture/unionpay/pfx.json'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

const TIMEOUT_MS = 40_000
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const PASSWORD = new Secret(pfx.password)
const merchantKey = createPrivateKey(chain.merchant.privateKey.replaceAll('TESTING', 'PRIVATE'))

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'))

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pingzhang-pfx-'))
  await Bun.write(join(directory, 'merchant.pfx'), bytesOf(pfx.legacy))
  await Bun.write(join(directory, 'password'), `${pfx.password}\n`)
  await Bun.write(join(directory, 'root.cer'), chain.root)
  await Bun.write(join(directory, 'middle.cer'), chain.intermediate)
})
afterEach(() => rm(directory, { recursive: true }))

describe('a PKCS#12 file', () => {
  test.each([
    ['sealed with RC2 and 3DES, as the vendor issues it', pfx.legacy],
    ['sealed with AES', pfx.modern],
    ['with the authorities’ certificates in it', pfx.withChain],
  ])('%s opens to the private key and its certificate', (_, text) => {
    const opened = openPfx(bytesOf(text), PASSWORD)
    assert(opened.kind === 'opened', `expected opened, found ${Bun.inspect(opened)}`)
    const key = createPrivateKey(opened.privateKey.reveal())
    expect(key.equals(merchantKey)).toBe(true)
    expect(opened.privateKey.reveal()).toStartWith('-----BEGIN PRIVATE KEY-----')
    expect(opened.certificate.serialNumber).toBe('1046900150')
  })

  test.each([
    ['another password', pfx.legacy, '000001', /does not open/],
    ['no password', pfx.modern, '', /does not open/],
    ['a part of it', pfx.legacy.slice(0, 1000), '000000', /does not open/],
    ['something else', 'AAAA', '000000', /does not open/],
    ['nothing', '', '000000', /does not open/],
    ['no private key', pfx.certificateOnly, '000000', /no private RSA key/],
    ['no certificate', pfx.keyOnly, '000000', /no certificate of its private key/],
  ])('does not open with %s, and says nothing of itself', (_, text, password, problem) => {
    const opened = openPfx(bytesOf(text), new Secret(password))
    expect(opened).toEqual({ kind: 'unreadable', problem: expect.stringMatching(problem) })
    expect(JSON.stringify(opened)).not.toContain('00000')
  })
})

/** A file that OpenSSL refuses to write: the certificates as given, whoever's they are. */
function pack(certificates: readonly string[]): Uint8Array {
  const pem = chain.merchant.privateKey.replaceAll('TESTING', 'PRIVATE')
  const file = forge.pkcs12.toPkcs12Asn1(
    forge.pki.privateKeyFromPem(pem),
    certificates.map((certificate) => forge.pki.certificateFromPem(certificate)),
    pfx.password,
    { algorithm: '3des' },
  )
  return Uint8Array.from(Buffer.from(forge.asn1.toDer(file).getBytes(), 'latin1'))
}

test('the certificate is the private key’s own, wherever in the file it stands', () => {
  const chained = [chain.root, chain.intermediate, chain.merchant.certificate]
  const opened = openPfx(pack(chained), PASSWORD)
  assert(opened.kind === 'opened', 'its certificate is in the file')
  expect(opened.certificate.serialNumber).toBe('1046900150')
  expect(openPfx(pack([chain.root, chain.other.certificate]), PASSWORD)).toEqual({
    kind: 'unreadable',
    problem: expect.stringMatching(/no certificate of its private key/),
  })
})

const now = new Date('2026-03-14T02:15:30Z')
const env = { UNIONPAY_PASSWORD: pfx.password }

/** Loads the one key of an account file with this entry. */
function load(entry: Readonly<Record<string, string>>, at = now) {
  const fields = Object.entries(entry).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
  const file = parseAccountFile(
    `merchant = "m"\nname = "n"\nstrategy = "unionpay"\nmode = "test"\n[[key]]\n${fields.join('\n')}`,
  )
  const [key] = file.key
  assert(key !== undefined, 'the file has a key')
  return loadKey(key, { directory, now: at, env })
}

const good = {
  purpose: 'merchant_private',
  pfx_file: 'merchant.pfx',
  password_variable: 'UNIONPAY_PASSWORD',
}
const { password_variable: _variable, ...withoutPassword } = good

describe('the entry of a PKCS#12 file', () => {
  test('takes the password from a variable or from a file, and the serial from the certificate', async () => {
    const fromFile = { ...withoutPassword, password_file: 'password' }
    for (const entry of [good, fromFile, { ...good, serial: chain.merchant.certId }]) {
      const key = await load(entry)
      expect(key).toMatchObject({
        purpose: 'merchant_private',
        // UnionPay dossier, section 1.4: decimal.
        serial: chain.merchant.certId,
        validFrom: new Date('2014-01-01T00:00:00Z'),
        validUntil: new Date('2046-01-01T00:00:00Z'),
      })
      expect(createPrivateKey(key.value.reveal()).equals(merchantKey)).toBe(true)
      expect(JSON.stringify(key)).not.toMatch(/PRIVATE|000000/)
    }
  })

  const refused = async (entry: Readonly<Record<string, string>>, at?: Date): Promise<string> => {
    try {
      await load(entry, at)
    } catch (error) {
      return String(error)
    }
    return 'loaded'
  }

  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['no password', withoutPassword, /password_file, or in the variable/],
    ['two passwords', { ...good, password_file: 'password' }, /password_file, or in the variable/],
    ['a variable that is not set', { ...good, password_variable: 'NO' }, /in the variable that/],
    ['the password itself', { ...good, password_variable: '000000' }, /name of a variable/],
    ['the password beside the path', { ...good, password: '000000' }, /password/],
    ['a file that is not there', { ...good, pfx_file: 'no.pfx' }, /cannot read its pfx_file/],
    ['a file of another kind', { ...good, pfx_file: 'root.cer' }, /does not open/],
    ['another serial', { ...good, serial: '69903319369' }, /has the serial 69903319376/],
    ['the serial in hexadecimal', { ...good, serial: '10469001AF' }, /expected a decimal number/],
    ['another purpose', { ...good, purpose: 'vendor_root' }, /key\.0\.purpose/],
    ['a PEM file too', { ...good, file: 'root.cer' }, /file/],
  ])('is refused with %s', async (_, entry, message) => {
    const text = await refused(entry)
    expect(text).toMatch(message)
    expect(text).not.toMatch(/000000|PRIVATE KEY/)
  })

  test('is refused when the certificate has ended', async () => {
    expect(await refused(good, new Date('2046-01-01T00:00:00Z'))).toMatch(/certificate ended/)
  })

  test('a key in PEM still needs its serial', async () => {
    expect(await refused({ purpose: 'vendor_root', file: 'root.cer' })).toMatch(/key\.0\.serial/)
    expect((await load({ purpose: 'vendor_root', file: 'root.cer', serial: '10' })).serial).toBe(
      '10',
    )
  })
})

describe('channel add', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await cloneDatabase()
  }, TIMEOUT_MS)
  afterAll(() => database.drop(), TIMEOUT_MS)

  test(
    'stores the key of a PKCS#12 file, sealed, and prints nothing of it',
    async () => {
      const db = openDatabase(database.url, workerDatabase, () => undefined)
      const merchant = await addMerchant(db, 'Tea shop')
      const keys = [
        ['purpose = "merchant_private"', 'pfx_file = "merchant.pfx"', 'password_variable = "PW"'],
        ['purpose = "vendor_root"', 'serial = "10"', 'file = "root.cer"'],
        ['purpose = "vendor_root"', 'serial = "11"', 'file = "middle.cer"'],
      ].map((lines) => `[[key]]\n${lines.join('\n')}\n`)
      const head = `merchant = "${merchant}"\nname = "UnionPay"\nstrategy = "unionpay"\nmode = "test"\n`
      const settings = '[settings]\nmerId = "777290058110048"\nenvironment = "test"\n'
      const file = join(directory, 'account.toml')
      await Bun.write(file, head + settings + keys.join(''))
      const variables = { DATABASE_URL: database.url, PINGZHANG_SEAL_KEY: '5a'.repeat(32) }
      const child = Bun.spawn(
        [process.execPath, MAIN, 'channel', 'add', '--file', file, '--json'],
        {
          env: { ...variables, PW: pfx.password, NO_COLOR: '1' },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      )
      const [out, err] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ])
      expect({ code: await child.exited, err }).toEqual({ code: 0, err: '' })
      expect(out).not.toMatch(/000000|PRIVATE/)
      const said = z.object({ account: z.string() }).parse(JSON.parse(out))
      const id = parseChannelAccountId(said.account)
      assert(id !== undefined, 'the command names the account')
      const account = await findAccount(db, loadSealKey(variables), id)
      await db.destroy()
      const stored = account?.keys.find((key) => key.purpose === 'merchant_private')
      expect(stored?.serial).toBe(chain.merchant.certId)
      expect(createPrivateKey(stored?.value.reveal() ?? '').equals(merchantKey)).toBe(true)
    },
    TIMEOUT_MS,
  )
})
