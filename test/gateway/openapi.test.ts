import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { components } from '#gateway/openapi/component'
import { openApi, operations } from '#gateway/openapi/document'
import { openApiRoute } from '#gateway/route/openapi'
import { validate } from '../support/contract.ts'

// The committed document is made by this test: PINGZHANG_WRITE_GOLDEN=1 bun test test/gateway/openapi.test.ts

const PATH = fileURLToPath(new URL('../../openapi.json', import.meta.url))

const record = z.record(z.string(), z.unknown())

test('the committed document is the one that the schemas of the routes make', async () => {
  if (process.env['PINGZHANG_WRITE_GOLDEN'] === '1') {
    await Bun.write(PATH, `${JSON.stringify(openApi(), null, 2)}\n`)
  }
  const committed: unknown = await Bun.file(PATH).json()
  expect(committed).toEqual(openApi())
})

test('the gateway serves the same document', async () => {
  const answer = await openApiRoute().request('/openapi.json')
  expect(answer.headers.get('content-type')).toBe('application/json')
  const served: unknown = await answer.json()
  expect(served).toEqual(openApi())
})

test('it is OpenAPI 3.1 by the schema of its authors', async () => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate({ ...openApi() })
  expect(errors).toBeUndefined()
  expect(valid).toBe(true)
  expect(validator.version).toBe('3.1')
  const odd = await new Validator().validate({ ...openApi(), paths: { '/v1/x': { get: 7 } } })
  expect(odd.valid).toBe(false)
})

describe('examples', () => {
  const examples = operations.flatMap(({ id, body, answers }) =>
    [['body', body] as const, ...Object.entries(answers)].flatMap(([place, content]) =>
      content?.component === undefined ? [] : [[`${id} ${place}`, content] as const],
    ),
  )

  test('there is one of every body and every answer in JSON', () => {
    const without = operations.flatMap(({ id, body, answers }) =>
      [body, ...Object.values(answers)]
        .filter((content) => content?.component !== undefined && content.example === undefined)
        .map(() => id),
    )
    expect(without).toEqual([])
    expect(examples.length).toBeGreaterThan(20)
  })

  test.each(examples)('%s fits its schema and no more', (_name, { component, example }) => {
    expect(validate({ $ref: `#/components/schemas/${component}` }, example)).toEqual([])
    const wrong = { ...record.parse(example), undocumented: 1 }
    expect(validate({ $ref: `#/components/schemas/${component}` }, wrong)).not.toEqual([])
  })
})

test('every component is used', () => {
  const text = JSON.stringify(openApi())
  const unused = Object.keys(components).filter(
    (name) => !text.includes(`"#/components/schemas/${name}"`),
  )
  expect(unused).toEqual([])
})

test('every operation has a name of its own', () => {
  expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length)
})

// The schema in the document is the one that reads the body: what one refuses, the other does.
test.each([
  { amount: 1.5 },
  { amount: 0 },
  { amount: '1999' },
  { currency: 'USD' },
  { method: 'cash' },
  { order_number: '' },
  { undocumented: true },
])('document and gateway both refuse a payment with %p', (change) => {
  const create = operations.find(({ id }) => id === 'createPayment')
  const body = { ...record.parse(create?.body?.example), ...change }
  expect(validate({ $ref: '#/components/schemas/PaymentRequest' }, body)).not.toEqual([])
  expect(components.PaymentRequest.safeParse(body).success).toBe(false)
})
