import { z } from 'zod'
import { bookOperations } from './book.ts'
import { components } from './component.ts'
import { eventOperations } from './event.ts'
import type { Content, Operation } from './operation.ts'
import { paymentOperations } from './payment.ts'
import { problemsOf } from './problem.ts'
import { refundOperations } from './refund.ts'

export const operations: readonly Operation[] = [
  ...paymentOperations,
  ...refundOperations,
  ...eventOperations,
  ...bookOperations,
]

type Json = Readonly<Record<string, unknown>>

const JSON_TYPE = 'application/json'
const PROBLEM_TYPE = 'application/problem+json'

const refTo = (name: string): string => `#/components/schemas/${name}`

/** The merchant API as OpenAPI 3.1, made of the schemas that the routes read and write by. */
export const openApi = (): Json => ({
  openapi: '3.1.1',
  info: {
    title: 'Pingzhang merchant API',
    version: '1',
    description:
      'Amounts are whole minor units (fen) beside their currency. Moments are RFC 3339 in UTC. Lists are read page by page by a cursor. Answers may gain fields.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/' }],
  paths: pathsOf(operations),
  components: {
    securitySchemes: { api_key: { type: 'http', scheme: 'bearer' } },
    schemas: schemasOf(),
  },
})

function schemasOf(): Json {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id })
  // `input`: what is sent. Of a request that is before its defaults; an answer has none.
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: refTo })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, withoutIdentity(schema)]),
  )
}

/** The place in the document is the identity. */
const withoutIdentity = ({ $schema: _schema, $id: _id, ...rest }: Json): Json => rest

function pathsOf(all: readonly Operation[]): Json {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of all) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: itemOf(operation) }
  }
  return paths
}

const itemOf = (operation: Operation): Json => ({
  operationId: operation.id,
  tags: [operation.tag],
  summary: operation.summary,
  ...(operation.scope === undefined
    ? { security: [] }
    : { security: [{ api_key: [operation.scope] }] }),
  parameters: parametersOf(operation),
  ...(operation.body && {
    requestBody: { required: true, ...contentOf(operation.body) },
  }),
  responses: { ...answersOf(operation), ...problemAnswers(operation) },
})

function parametersOf({ path, query, isKeyed }: Operation): readonly Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !z.safeParse(schema, undefined).success,
    schema: withoutIdentity(z.toJSONSchema(schema, { io: 'input' })),
  }))
  return [...inPath, ...inQuery, ...(isKeyed === true ? [IDEMPOTENCY_KEY] : [])]
}

const IDEMPOTENCY_KEY: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: true,
  description: 'The same key and request get the same answer, with `Idempotent-Replayed: true`.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
}

const answersOf = ({ answers }: Operation): Json =>
  Object.fromEntries(
    Object.entries(answers).map(([status, content]) => [
      status,
      { description: content.about, ...contentOf(content) },
    ]),
  )

function contentOf({ component, example, file }: Content): Json {
  if (component !== undefined) {
    return { content: { [JSON_TYPE]: { schema: { $ref: refTo(component) }, example } } }
  }
  return file === undefined ? {} : { content: { [file]: {} } }
}

const problemAnswers = (operation: Operation): Json =>
  Object.fromEntries(
    Object.entries(problemsOf(operation)).map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\``).join(', '),
        content: { [PROBLEM_TYPE]: { schema: { $ref: refTo('Problem') } } },
      },
    ]),
  )
