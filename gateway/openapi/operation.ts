import type { z } from 'zod'
import type { Scope } from '#domain/scope'
import type { ComponentName, Shown } from './component.ts'

/** JSON of a component, with an example; or a file, or nothing. */
export interface Content {
  readonly about: string
  readonly component?: ComponentName
  readonly example?: unknown
  /** Media types of an answer that is no JSON. */
  readonly file?: string
}

/** One route as the document shows it. The route itself says what it does; this says how it is called. */
export interface Operation {
  readonly method: 'get' | 'post' | 'delete'
  readonly path: `/v1/${string}`
  readonly id: string
  readonly tag: 'payment' | 'refund' | 'event' | 'case' | 'reconciliation' | 'capability'
  readonly summary: string
  /** What the API key must be good for. Without one anybody who knows the id may ask. */
  readonly scope?: Scope
  readonly query?: z.ZodObject
  readonly body?: Content
  /** Money may move: it needs an `Idempotency-Key`. */
  readonly isKeyed?: true
  readonly answers: Readonly<Record<number, Content>>
  /** Codes of problems by status, beside those that any such request can have. */
  readonly problems?: Readonly<Record<number, readonly string[]>>
}

/** A body or an answer with an example that the compiler checks. */
export const show = <Name extends ComponentName>(
  component: Name,
  about: string,
  example: Shown<Name>,
): Content => ({ about, component, example })
