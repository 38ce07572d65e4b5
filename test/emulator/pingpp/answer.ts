/** What the emulated API answers; `http.ts` turns it into bytes, headers and a signature. */
export interface Answer {
  readonly status: number
  /** A value that becomes JSON. */
  readonly value: unknown
  /** The error code or, without one, the error's type: for the log of requests. */
  readonly code?: string
  /** Half of the text, or far more than a text, is signed and sent; or one bit changes after it is signed. */
  readonly damage?: 'half' | 'bomb' | 'corrupt'
}

export interface Problem {
  readonly status: number
  readonly type: 'invalid_request_error' | 'api_error' | 'channel_error'
  readonly message: string
  readonly code?: string
  readonly param?: string
}

export const ok = (value: unknown): Answer => ({ status: 200, value })

/** The envelope of dossier 5. */
export function problem({ status, ...error }: Problem): Answer {
  return { status, value: { error }, code: error.code ?? error.type }
}

/** A parameter that is missing, malformed, or not allowed now. */
export const invalid = (message: string, param?: string, code?: string): Answer =>
  problem({
    status: 400,
    type: 'invalid_request_error',
    message,
    ...(code !== undefined && { code }),
    ...(param !== undefined && { param }),
  })

/** Recorded: PurchaseFailure (dossier 8.3). */
export const badApiKey = (): Answer =>
  problem({ status: 401, type: 'invalid_request_error', message: '提供了无效的 API KEY' })

/** Recorded: FetchTransactionFailure (dossier 8.3). */
export const missing = (what: string, param = 'id'): Answer =>
  problem({ status: 404, type: 'invalid_request_error', message: `未找到 ${what}`, param })

export const tooManyAtOnce = (): Answer =>
  problem({ status: 403, type: 'invalid_request_error', message: '并发请求数超出限制' })

export const tooMany = (): Answer =>
  problem({ status: 429, type: 'invalid_request_error', message: '请求过于频繁' })

export const channelUnreachable = (): Answer =>
  problem({
    status: 402,
    type: 'channel_error',
    code: 'channel_connection_error',
    message: '渠道连接失败',
  })

/** A number is used up by the first object that bears it (dossier 5). */
export const numberUsed = (): Answer =>
  problem({
    status: 402,
    type: 'channel_error',
    code: 'charge_order_no_used',
    message: '商户订单号已被使用',
    param: 'order_no',
  })

export const serverTrouble = (): Answer =>
  problem({ status: 500, type: 'api_error', message: '服务器内部错误' })
