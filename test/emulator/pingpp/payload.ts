import type { Knobs } from './knobs.ts'

type Style = Pick<Knobs, 'emptyArrays' | 'oldPayloads'>

/** Objects that PHP writes as `[]` when they are empty (dossier 2.2). */
const OBJECT_KEYS = new Set(['extra', 'metadata', 'credential'])

/** JSON of an answer or an event as the panel wants it. */
export const payloadText = (value: unknown, style: Style): string =>
  JSON.stringify(styled(value, style))

function styled(value: unknown, style: Style): unknown {
  if (Array.isArray(value)) return value.map((item) => styled(item, style))
  if (!isRecord(value)) return value
  const entries = Object.entries(value)
    .filter(([key]) => !(style.oldPayloads && key === 'reversed'))
    .map(([key, item]) => [key, styledField(key, item, style)])
  const fields: unknown = Object.fromEntries(entries)
  return fields
}

function styledField(key: string, value: unknown, style: Style): unknown {
  if (style.oldPayloads && key === 'refunds') return null
  if (style.emptyArrays && OBJECT_KEYS.has(key) && isEmptyRecord(value)) return []
  return styled(value, style)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isEmptyRecord = (value: unknown): boolean =>
  isRecord(value) && Object.keys(value).length === 0
