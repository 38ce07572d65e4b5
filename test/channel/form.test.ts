import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { decodeText, encodeForm, findDuplicate, readForm } from '#channel/form'
import type { FormField } from '#channel/form'

const LIMITS = { bytesMax: 1000, fieldsMax: 5 }

const read = (body: string | Uint8Array) =>
  readForm(typeof body === 'string' ? Buffer.from(body, 'latin1') : body, LIMITS)

/** Fields as text; a problem as its name. */
function texts(body: string | Uint8Array) {
  const reading = read(body)
  return reading.kind === 'read'
    ? reading.fields.map(([name, value]) => [name, Buffer.from(value).toString('latin1')])
    : reading.problem
}

describe('reading a form', () => {
  test.each([
    ['', []],
    [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    [
      'b=2&a=1',
      [
        ['b', '2'],
        ['a', '1'],
      ],
    ],
    [
      'a=1&&b=2&',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a', [['a', '']]],
    ['a=', [['a', '']]],
    ['=1', [['', '1']]],
    ['a=b=c', [['a', 'b=c']]],
    ['a=x+y', [['a', 'x y']]],
    ['a=x%20y', [['a', 'x y']]],
    ['a=x%2By', [['a', 'x+y']]],
    ['a=%2b', [['a', '+']]],
    ['a=x%2526y', [['a', 'x%26y']]],
    ['a=x%252By', [['a', 'x%2By']]],
    ['a%3d=1', [['a=', '1']]],
    ['a=%26b%3D', [['a', '&b=']]],
    [
      'a=1&a=2',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['a=%00', [['a', '\0']]],
    ['a=\x80\xff', [['a', '\x80\xff']]],
    ['a=%FF', [['a', '\xff']]],
  ])('undoes the escapes of %p once', (body, fields) => {
    expect(texts(body)).toEqual(fields)
  })

  test.each(['a=%', 'a=%2', 'a=%2G', 'a=%G2', 'a=%%20', '%=1', 'b=1&a=100%', 'a=% 20', 'a=%+1'])(
    'does not read %p, where an escape is none',
    (body) => {
      expect(read(body)).toEqual({ kind: 'unreadable', problem: 'bad_escape' })
    },
  )

  test('reads as many bytes and fields as the limits say, and not one more', () => {
    expect(texts('a=1&b=2&c=3&d=4&e=5')).toHaveLength(5)
    expect(texts('a=1&b=2&c=3&d=4&e=5&f=6')).toBe('too_many_fields')
    expect(texts(`a=${'x'.repeat(998)}`)).toHaveLength(1)
    expect(texts(`a=${'x'.repeat(999)}`)).toBe('too_large')
  })

  test('reads a part of a larger buffer as that part', () => {
    expect(texts(Buffer.from('x=9&a=1&y=9').subarray(4, 7))).toEqual([['a', '1']])
  })

  test('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['read', 'unreadable']).toContain(read(bytes).kind)
      }),
    )
  })
})

describe('duplicates', () => {
  const fields = (...names: string[]): FormField[] =>
    names.map((name) => [name, new Uint8Array()] as const)

  test('names the first name that stands there twice', () => {
    expect(findDuplicate(fields('a', 'b', 'c'))).toBeUndefined()
    expect(findDuplicate(fields('a', 'b', 'b', 'a'))).toBe('b')
    expect(findDuplicate(fields('__proto__', '__proto__'))).toBe('__proto__')
  })

  test('sees a name twice when one of the two is escaped', () => {
    const reading = read('sign=1&%73ign=2')
    expect(reading.kind === 'read' && findDuplicate(reading.fields)).toBe('sign')
  })
})

describe('text', () => {
  test('is decoded in the charset that was asked for', () => {
    expect(decodeText(Buffer.from('c9ccc6b7', 'hex'), 'gbk')).toBe('商品')
    expect(decodeText(Buffer.from('商品', 'utf8'), 'utf-8')).toBe('商品')
  })

  test('is read well after bytes that were not text', () => {
    for (const charset of ['utf-8', 'gbk'] as const) {
      expect(decodeText(Buffer.from('c9', 'hex'), charset)).toBeUndefined()
      expect(decodeText(Buffer.from('a'), charset)).toBe('a')
    }
  })

  test('keeps a byte order mark, because it was signed', () => {
    expect(decodeText(Buffer.from('efbbbf61', 'hex'), 'utf-8')).toBe('\ufeffa')
  })

  test.each([
    ['c9ccc6b7', 'utf-8'],
    ['ff', 'utf-8'],
    ['c0af', 'utf-8'],
    ['eda080', 'utf-8'],
    ['ff', 'gbk'],
    ['c9', 'gbk'],
  ] as const)('%s is not %s', (hex, charset) => {
    expect(decodeText(Buffer.from(hex, 'hex'), charset)).toBeUndefined()
  })
})

describe('writing a form', () => {
  test('escapes everything that could be read as something else', () => {
    expect(
      encodeForm([
        ['a b', "x+y&z=%~'()*!"],
        ['商', '品'],
      ]),
    ).toBe('a%20b=x%2By%26z%3D%25~%27%28%29%2A%21&%E5%95%86=%E5%93%81')
    expect(encodeForm([])).toBe('')
  })

  test('is the inverse of reading', () => {
    const name = fc.string({ minLength: 1, unit: 'grapheme-ascii' })
    const pairs = fc.array(fc.tuple(name, fc.string({ unit: 'binary' })), { maxLength: 20 })
    fc.assert(
      fc.property(pairs, (fields) => {
        const wide = { bytesMax: 100_000, fieldsMax: 20 }
        const reading = readForm(Buffer.from(encodeForm(fields)), wide)
        expect(
          reading.kind === 'read' &&
            reading.fields.map(([key, value]) => [key, decodeText(value, 'utf-8')]),
        ).toEqual(fields)
      }),
    )
  })

  test('writes a lone surrogate as the replacement character instead of throwing', () => {
    expect(encodeForm([['a', '\ud800']])).toBe('a=%EF%BF%BD')
  })
})
