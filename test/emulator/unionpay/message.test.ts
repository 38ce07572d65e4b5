import { describe, expect, test } from 'bun:test'

import { decodeText, encodeText, parseCharset } from './charset.ts'
import { hasSmallEscapes, readForm, readRawFields, writeFields } from './message.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('a form', () => {
  test('is read in the charset that it names', () => {
    const fields = { encoding: 'GBK', orderDesc: '茶 & 杯=+%' }
    const body = writeFields(fields, { charset: 'GBK', escapes: 'plus' })
    expect(Buffer.from(body).toString('latin1')).toContain('orderDesc=%B2%E8+%26+%B1%AD%3D%2B%25')
    expect(readForm(body)).toEqual({ kind: 'read', fields, charset: 'GBK' })
  })

  test.each([
    ['encoding=UTF-8&a=1&a=2', 'a stands there twice'],
    ['encoding=EBCDIC&a=1', 'encoding'],
    ['a=1', 'encoding'],
    ['encoding=UTF-8&a=%FF', 'a'],
  ])('is not read: %s', (text, why) => {
    expect(readForm(bytes(text))).toEqual({ kind: 'unreadable', why })
  })

  test('leaves out what is empty', () => {
    const body = writeFields({ a: '1', b: '', c: ' ' }, { charset: 'UTF-8', escapes: 'percent' })
    expect(Buffer.from(body).toString()).toBe('a=1')
  })

  test.each([
    ['a=%3D', false],
    ['a=%3d', true],
    ['a=%aB', true],
    ['a=1', false],
  ])('knows small escapes: %s', (text, isSmall) => {
    expect(hasSmallEscapes(text)).toBe(isSmall)
  })
})

describe('a raw body', () => {
  test('is split outside of brackets and at the first equals sign only', () => {
    const text = 'a={x=1&y=2}&b=[p&q]&respMsg=成功[0000000]&c=Zm9v+/8=&d=l1\r\nl2&e={open'
    expect(readRawFields(text)).toEqual({
      a: '{x=1&y=2}',
      b: '[p&q]',
      respMsg: '成功[0000000]',
      c: 'Zm9v+/8=',
      d: 'l1\r\nl2',
      e: '{open',
    })
  })
})

test('GBK goes there and back', () => {
  const text = '中国银联股份有限公司 Tea é?'
  expect(decodeText(encodeText(text, 'GBK'), 'GBK')).toBe(text)
  expect(encodeText('中', 'GBK')).toEqual(new Uint8Array([0xd6, 0xd0]))
  expect(decodeText(encodeText('a\u{1F375}b', 'GBK'), 'GBK')).toBe('a?b')
})

test.each([
  ['utf-8', 'UTF-8'],
  ['UTF-8', 'UTF-8'],
  ['gbk', 'GBK'],
  ['latin1', undefined],
  [undefined, undefined],
] as const)('the charset %p is %p', (name, charset) => {
  expect(parseCharset(name)).toBe(charset)
})
