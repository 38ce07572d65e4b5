import { z } from 'zod'

import { parseJson } from '../config.ts'
import type { ApiRequest } from './server.ts'

/** One action of the control panel. A `ZodError` becomes 400. */
export type ControlAction = (body: unknown) => Response | Promise<Response>

/** Keys are `METHOD name`: `POST pay` is `POST /_control/pay`. */
export type ControlActions = Readonly<Record<string, ControlAction>>

export const controlFound = (value: unknown): Response => Response.json(value)

export const controlMissing = (): Response =>
  Response.json({ error: 'no such order' }, { status: 404 })

/** Answers 404 for an unknown action and 400 for a body that it cannot read. */
export async function handleControl(
  actions: ControlActions,
  request: ApiRequest,
  name: string,
): Promise<Response> {
  const action = actions[`${request.method} ${name}`]
  if (action === undefined) return Response.json({ error: 'no such action' }, { status: 404 })
  try {
    return await action(parseJson(request.body))
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error
    return Response.json({ error: z.prettifyError(error) }, { status: 400 })
  }
}
