import { z } from 'zod'
import { checkAnswer } from '../support/contract.ts'

const listSchema = z.looseObject({ data: z.array(z.record(z.string(), z.unknown())) })
const bodySchema = z.record(z.string(), z.unknown())

export interface CallAnswer {
  readonly status: number
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
  /** The items of a list; none if the answer is no list. */
  readonly data: readonly Readonly<Record<string, unknown>>[]
}

export interface Caller {
  call(method: string, path: string, body?: unknown): Promise<CallAnswer>
}

/** Somebody who calls the merchant API with a key. */
export function createCaller(baseUrl: string, apiKey: string): Caller {
  return {
    async call(method, path, body) {
      const response = await fetch(baseUrl + path, {
        method,
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const { operation, errors } = await checkAnswer(method, baseUrl + path, response.clone())
      if (errors.length > 0) throw new Error(`${operation}: ${errors.join('; ')}`)
      const text = await response.text()
      const value: unknown = text === '' ? {} : JSON.parse(text)
      const list = listSchema.safeParse(value)
      return {
        status: response.status,
        text,
        body: bodySchema.parse(value),
        data: list.success ? list.data.data : [],
      }
    },
  }
}
