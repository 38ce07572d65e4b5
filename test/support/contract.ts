import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { z } from 'zod'
import { openApi } from '#gateway/openapi/document'

// The merchant API's document, as a client reads it: what is not in it must not be in an answer.

const contentSchema = z.record(z.string(), z.looseObject({ schema: z.unknown().optional() }))

const operationSchema = z.looseObject({
  operationId: z.string(),
  responses: z.record(z.string(), z.looseObject({ content: contentSchema.optional() })),
})

const documentSchema = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
})

const document = documentSchema.parse(openApi())

/** Every operation by its id. */
export const operationIds: readonly string[] = Object.values(document.paths).flatMap((item) =>
  Object.values(item).map(({ operationId }) => operationId),
)

/** What the document says about an answer: which operation and content it is, and what is wrong with it. */
export interface Checked {
  readonly operation: string
  readonly errors: readonly string[]
}

/**
 * Compares an answer of the gateway with the document. A path that no operation has is the operation `none`.
 *
 * Objects are closed for it: clients must bear fields that they do not know, but none may be undocumented.
 */
export async function checkAnswer(
  method: string,
  url: string,
  response: Response,
): Promise<Checked> {
  const operation = findOperation(method, new URL(url).pathname)
  if (operation === undefined) return { operation: 'none', errors: [`${method} ${url}: no such`] }
  const { operationId, responses } = operation
  const told = responses[response.status]
  if (told === undefined) {
    return { operation: operationId, errors: [`${response.status} is not documented`] }
  }
  const type = (response.headers.get('content-type') ?? '').replace(/;.*/, '')
  if (told.content === undefined) {
    return { operation: operationId, errors: type === '' ? [] : [`${type} where nothing was told`] }
  }
  const media = told.content[type]
  if (media === undefined) return { operation: operationId, errors: [`${type} is not documented`] }
  const errors = media.schema === undefined ? [] : validate(media.schema, await response.json())
  return { operation: operationId, errors }
}

/** What of a value does not fit a schema of the document. */
export function validate(schema: unknown, value: unknown): readonly string[] {
  const check = compile(schema)
  if (check(value)) return []
  return (check.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  )
}

function findOperation(method: string, path: string) {
  const templates = Object.keys(document.paths).filter((template) => matches(template, path))
  // A literal path before one with a parameter.
  const [template] = templates.toSorted(
    (one, other) => one.split('{').length - other.split('{').length,
  )
  return template === undefined ? undefined : document.paths[template]?.[method.toLowerCase()]
}

const matches = (template: string, path: string): boolean =>
  new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path)

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true })
addFormats.default(ajv)
// What is of OpenAPI and not of JSON Schema.
ajv.addVocabulary(['components'])
ajv.addSchema({ $id: 'api', components: { schemas: closed(document.components.schemas) } })

const compiled = new Map<string, ValidateFunction>()

function compile(schema: unknown): ValidateFunction {
  const text = JSON.stringify(closed(schema)).replaceAll('"#/', '"api#/')
  const known = compiled.get(text)
  if (known !== undefined) return known
  const made = ajv.compile(z.record(z.string(), z.unknown()).parse(JSON.parse(text)))
  compiled.set(text, made)
  return made
}

/** The same schema, in which an object has no other fields than the named ones. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, closed(part)]))
  const isObject = 'properties' in schema && !('additionalProperties' in schema)
  return isObject ? { ...parts, additionalProperties: false } : parts
}
