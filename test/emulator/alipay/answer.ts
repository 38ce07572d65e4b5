/** The content of one answer's node, before it becomes bytes. */
export type Node = Readonly<Record<string, unknown>>

/** A refusal in the vendor's words. */
export interface Problem {
  readonly subCode: string
  readonly subMessage: string
  /** Fields beside the codes, as the query of a missing trade has them. */
  readonly more?: Node
}

const MESSAGES: Readonly<Record<string, string>> = {
  '10000': 'Success',
  '20000': 'Service Currently Unavailable',
  '20001': 'Insufficient Token Permissions',
  '40001': 'Missing Required Arguments',
  '40002': 'Invalid Arguments',
  '40003': 'Insufficient Conditions',
  '40004': 'Business Failed',
  '40005': 'Call Limited',
  '40006': 'Insufficient Permissions',
}

/** The first rule that fits names the gateway code of a business code (dossier 1.11). */
const CODE_RULES: readonly (readonly [RegExp, string])[] = [
  [/^(isp|aop)\.unknow-error$/, '20000'],
  [/^aop\..*(token|reg-by-partner)/, '20001'],
  [/^isv\.missing-(app-cert-sn|alipay-root-cert-sn)$/, '40002'],
  [/^isv\.missing-signature-config$/, '40003'],
  [/^isv\.(missing-|decryption-error-missing-)/, '40001'],
  [/^isv\.(invalid-auth-relations|decryption-error-unknown)/, '40003'],
  [/-limited/, '40005'],
  [/(permissions|self-invoke-forbidden)$/, '40006'],
  [/^isv\./, '40002'],
]

const codeOf = (subCode: string): string =>
  CODE_RULES.find(([pattern]) => pattern.test(subCode))?.[1] ?? '40004'

export const problem = (subCode: string, subMessage = subCode, more?: Node): Problem => ({
  subCode,
  subMessage,
  ...(more !== undefined && { more }),
})

export const successNode = (content: Node): Node => ({
  code: '10000',
  msg: MESSAGES['10000'],
  ...content,
})

export function problemNode({ subCode, subMessage, more }: Problem): Node {
  const code = codeOf(subCode)
  return { code, msg: MESSAGES[code], sub_code: subCode, sub_msg: subMessage, ...more }
}

/** What a handler of one method returns. */
export type Outcome =
  | { readonly kind: 'done'; readonly content: Node; readonly hasCommitted?: boolean }
  | { readonly kind: 'refused'; readonly problem: Problem }

export const done = (content: Node): Outcome => ({ kind: 'done', content })
export const committed = (content: Node): Outcome => ({ kind: 'done', content, hasCommitted: true })
export const refused = (subCode: string, subMessage?: string, more?: Node): Outcome => ({
  kind: 'refused',
  problem: problem(subCode, subMessage, more),
})

export const tradeMissing = (more?: Node): Outcome =>
  refused('ACQ.TRADE_NOT_EXIST', '交易不存在', more)
