import type { IncomingMessage } from 'node:http'
import { z } from 'zod'

import { parseJson } from '../config.ts'
import { acceptedOf } from './state.ts'
import type { MerchantState } from './state.ts'

export interface ControlAnswer {
  readonly status: number
  readonly value: unknown
}

const secretsSchema = z.strictObject({ secrets: z.array(z.string()).max(10) })

/** The panel over HTTP, for whoever runs the merchant as a process of its own. */
export function answerControl(
  state: MerchantState,
  request: Pick<IncomingMessage, 'method' | 'url'>,
  text: string,
): ControlAnswer {
  const wish = `${request.method} ${request.url?.replace('/_control', '')}`
  try {
    return act(state, wish, text)
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error
    return { status: 400, value: { error: z.prettifyError(error) } }
  }
}

function act(state: MerchantState, wish: string, text: string): ControlAnswer {
  switch (wish) {
    case 'GET /health':
      return { status: 200, value: { ok: true } }
    case 'GET /events': {
      const arrivals = state.log.list()
      return { status: 200, value: { arrivals, accepted: acceptedOf(arrivals).length } }
    }
    case 'GET /knobs':
      return { status: 200, value: state.panel.get() }
    case 'POST /knobs':
      return { status: 200, value: state.panel.set(parseJson(text)) }
    case 'POST /secrets':
      state.secrets = secretsSchema.parse(parseJson(text)).secrets
      return { status: 200, value: { secrets: state.secrets.length } }
    default:
      return { status: 404, value: { error: 'no such action' } }
  }
}
