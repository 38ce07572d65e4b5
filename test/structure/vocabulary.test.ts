import { describe, expect, test } from 'bun:test'
import { readSources } from './source.ts'

// GLOSSARY.md, last section: one idea, one word.

const BANNED = new Set('trade trades webhook webhooks provider providers charge charges'.split(' '))
for (const word of ['settle', 'settles', 'settled', 'settling']) BANNED.add(word)

/** Names of libraries and of the language, exactly as they are written. */
const OUTSIDE = new Set([
  'webhookId', // Standard Webhooks calls its headers so.
  'webhookTimestamp',
  'webhookSignature',
  'allSettled', // Promise.allSettled.
  'migrationProvider', // An option of kysely's Migrator.
  'MigrationProvider',
  'provider', // The same option there.
  'CryptoProvider', // @peculiar/x509.
  'cryptoProvider',
])

/** Vendors' words live where vendors are read or played. */
const EXEMPT =
  /(^channel\/[^/]+\/wire(-refund|-bill)?\.ts$)|(^test\/(emulator|fixture|bench\/vendor)\/)/

/** Tests show vendors' fields as they are sent. We write no name of our own with underscores. */
const VENDOR_FIELD = /^[a-z]+(_[a-z]+)+$/
/** Members of an emulator's face, which speaks its vendor's language. */
const EMULATOR_MEMBERS = new Set(['trade', 'outTradeNo'])

const isVendors = (name: string): boolean => VENDOR_FIELD.test(name) || EMULATOR_MEMBERS.has(name)

test('our names use no word that the glossary gave to something else', () => {
  const found = readSources()
    .filter(({ path }) => !EXEMPT.test(path))
    .flatMap(({ path, text }) =>
      bannedNames(text)
        .filter((name) => !(path.startsWith('test/') && isVendors(name)))
        .map((name) => `${path}: ${name}`),
    )
  expect(found).toEqual([])
})

test('file names use no such word either', () => {
  const found = readSources()
    .map(({ path }) => path)
    .filter((path) => !EXEMPT.test(path) && wordsOf(path).some((word) => BANNED.has(word)))
  expect(found).toEqual([])
})

describe('the search', () => {
  test.each([
    ['const tradeNumber = 1', ['tradeNumber']],
    ['function receiveWebhook() {}', ['receiveWebhook']],
    ['interface PaymentProvider {}', ['PaymentProvider']],
    ['const MAX_CHARGE = 1', ['MAX_CHARGE']],
    ['order.settled', ['settled']],
    ['const settlement = 1', []],
    ['const recharge = 1', []],
    ['// The vendor calls this a trade.', []],
    ["const text = 'trade'", []],
    ['const text = `trade ${tradeNumber}`', ['tradeNumber']],
    ['Promise.allSettled([])', []],
  ])('reads %p', (text, names) => {
    expect(bannedNames(text)).toEqual(names)
  })
})

/** Identifiers with a banned word in them. Text and comments may say what they like. */
function bannedNames(text: string): string[] {
  const names = withoutTextAndComments(text).match(/[A-Za-z_$][\w$]*/g) ?? []
  return [...new Set(names)].filter(
    (name) => !OUTSIDE.has(name) && wordsOf(name).some((word) => BANNED.has(word)),
  )
}

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z]+/)
    .map((word) => word.toLowerCase())
}

const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*$/gm
const QUOTED = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g
const TEMPLATE_TEXT = /(`|\})(?:[^`$\\]|\\.|\$(?!\{))*(?=`|\$\{)/g

function withoutTextAndComments(text: string): string {
  return text.replace(QUOTED, "''").replace(COMMENT, '').replace(TEMPLATE_TEXT, '$1')
}
