import { describe, expect, test } from 'bun:test'
import { SealBroken, parseSealKey, seal, unseal } from '#db/seal'
import type { SealKey } from '#db/seal'
import { Secret } from '#domain/secret'

function keyOf(digit: string): SealKey {
  const key = parseSealKey(digit.repeat(64))
  if (key === undefined) throw new Error('64 hex digits are a key')
  return key
}

const key = keyOf('5')
const sealed = seal(key, new Secret('the merchant’s private key'), 'row-1')

describe('a sealed secret', () => {
  test('opens with the same key, for the same row', () => {
    expect(unseal(key, sealed, 'row-1').reveal()).toBe('the merchant’s private key')
  })

  test('is never the same bytes twice', () => {
    const again = seal(key, new Secret('the merchant’s private key'), 'row-1')
    expect(again.equals(sealed)).toBe(false)
  })

  const changed = Buffer.from(sealed)
  changed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1

  test.each([
    ['with another installation’s key', keyOf('6'), sealed, 'row-1'],
    ['for another row', key, sealed, 'row-2'],
    ['with one bit changed', key, changed, 'row-1'],
    ['of another format', key, Buffer.concat([Buffer.from([9]), sealed.subarray(1)]), 'row-1'],
    ['cut short', key, sealed.subarray(0, 40), 'row-1'],
    ['empty', key, Buffer.alloc(0), 'row-1'],
  ])('does not open %s, and the error tells no secret', (_, other, bytes, row) => {
    const open = () => unseal(other, bytes, row)
    expect(open).toThrow(SealBroken)
    expect(open).toThrow(`the sealed key of ${row} does not open`)
    expect(open).not.toThrow('private key')
  })
})

test.each(['', '5'.repeat(63), '5'.repeat(65), 'g'.repeat(64)])('%p is no seal key', (text) => {
  expect(parseSealKey(text)).toBeUndefined()
})
