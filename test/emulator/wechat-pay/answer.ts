/** What the emulated gateway answers; the server turns it into bytes, headers and a signature. */
export interface Answer {
  readonly status: number
  /** JSON text; empty for 204, 404 and 405. */
  readonly body: string
  /** Answers from before authentication carry no `Wechatpay-*` headers (dossier 1.4). */
  readonly isSigned: boolean
  /** The digits at the end of `Request-ID`; `undefined` leaves the header out. */
  readonly errorNumber?: number
  /** A bill, which is sent unsigned instead of the body (dossier 6.5). */
  readonly file?: Blob
  /** The error code, for the log of requests. */
  readonly code?: string
}

export interface ProblemDetail {
  readonly field?: string
  readonly value?: string
  readonly issue?: string
  readonly location?: string
}

export interface Problem {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly errorNumber?: number
  readonly detail?: ProblemDetail
}

/** Error numbers of dossier 1.12. */
export const ERROR_NUMBER = {
  orderMissing: 268512771,
  parameter: 268435461,
  orderPaid: 268449538,
  reentry: 268498688,
  frequency: 268447840,
  expired: 268447914,
  signature: 268443699,
  appMismatch: 268445527,
} as const

const CODE_SIGN_ERROR = 'SIGN_ERROR'

export const ok = (value: unknown): Answer => ({
  status: 200,
  body: JSON.stringify(value),
  isSigned: true,
  errorNumber: 0,
})

export const noContent = (): Answer => ({ status: 204, body: '', isSigned: true, errorNumber: 0 })

/** An unknown path or method: nothing but the status (dossier 1.1). */
export const emptyAnswer = (status: 404 | 405): Answer => ({ status, body: '', isSigned: false })

/** A refusal of an authenticated request; it is signed. */
export function problem(input: Problem): Answer {
  const { status, code, message, detail } = input
  const body = JSON.stringify({ code, message, ...(detail !== undefined && { detail }) })
  return { status, body, isSigned: true, errorNumber: input.errorNumber ?? 1, code }
}

/** A refusal from before authentication: no signature, no `Request-ID`. */
export function unauthenticated(input: Problem): Answer {
  const { errorNumber: _, ...answer } = problem(input)
  return { ...answer, isSigned: false }
}

export const signError = (message: string, detail?: unknown): Answer => ({
  status: 401,
  body: JSON.stringify({
    code: CODE_SIGN_ERROR,
    message,
    ...(detail !== undefined && { detail }),
  }),
  isSigned: false,
  code: CODE_SIGN_ERROR,
})

export const parameterError = (detail: ProblemDetail, message = '参数错误'): Answer =>
  problem({
    status: 400,
    code: 'PARAM_ERROR',
    message,
    errorNumber: ERROR_NUMBER.parameter,
    detail: { location: 'body', ...detail },
  })

export const orderMissing = (): Answer =>
  problem({
    status: 404,
    code: 'ORDER_NOT_EXIST',
    message: '订单不存在',
    errorNumber: ERROR_NUMBER.orderMissing,
  })

export const systemError = (): Answer =>
  problem({ status: 500, code: 'SYSTEM_ERROR', message: '系统异常，请用相同参数重新调用' })

export const tooMany = (): Answer =>
  problem({
    status: 429,
    code: 'FREQUENCY_LIMITED',
    message: '频率限制',
    errorNumber: ERROR_NUMBER.frequency,
  })
