import type { Fields } from './message.ts'
import { parseMoment } from './moment.ts'

/** What the vendor understands by a message. */
export type Operation = 'front' | 'app' | 'qr' | 'query' | 'refund' | 'void' | 'file'

/** Why a message is not taken. `10`: badly formed, `13`: a field is missing (dossier 2.6). */
export interface FieldFault {
  readonly code: '10' | '13'
  readonly field: string
}

type Rules = Readonly<Record<string, (value: string) => boolean>>

const matches =
  (pattern: RegExp) =>
  (value: string): boolean =>
    pattern.test(value)

const isUrl = (value: string): boolean => /^https?:\/\/[^~\s]{1,248}$/.test(value)
const isMoment = (value: string): boolean => parseMoment(value) !== undefined
const atMost =
  (characters: number) =>
  (value: string): boolean =>
    value.length <= characters

const number = (charactersMax: number) => matches(new RegExp(`^[A-Za-z0-9]{8,${charactersMax}}$`))
const amount = matches(/^(?!0+$)\d{1,12}$/)

/** What every message has (dossier 1.2). */
const COMMON: Rules = {
  version: matches(/^5\.1\.0$/),
  certId: matches(/^\d{1,128}$/),
  signMethod: matches(/^01$/),
  txnType: matches(/^\d\d$/),
  txnSubType: matches(/^\d\d$/),
  bizType: matches(/^\d{6}$/),
  accessType: matches(/^0$/),
  merId: matches(/^[A-Za-z0-9]{15}$/),
}

const NUMBERED: Rules = { orderId: number(40), txnTime: isMoment }
const MONEY: Rules = { txnAmt: amount, currencyCode: matches(/^156$/), backUrl: isUrl }
const RETURN: Rules = {
  ...NUMBERED,
  origQryId: matches(/^\d{20,21}$/),
  txnAmt: amount,
  backUrl: isUrl,
  channelType: matches(/^0[78]$/),
}

/** Sections 2.1, 2.2, 2.3, 3.1, 4.1, 4.2 and 5.1 of the dossier. */
const MANDATORY: Readonly<Record<Operation, Rules>> = {
  front: { ...NUMBERED, ...MONEY, frontUrl: isUrl, channelType: matches(/^0[78]$/) },
  app: { ...NUMBERED, ...MONEY, channelType: matches(/^08$/) },
  qr: {
    orderId: number(32),
    txnTime: isMoment,
    currencyCode: matches(/^156$/),
    backUrl: isUrl,
    channelType: matches(/^08$/),
  },
  query: {},
  refund: RETURN,
  void: RETURN,
  file: { settleDate: matches(/^\d{4}$/), txnTime: isMoment, fileType: matches(/^00$/) },
}

const OPTIONAL: Rules = {
  ...NUMBERED,
  ...MONEY,
  frontUrl: isUrl,
  frontFailUrl: isUrl,
  payTimeout: isMoment,
  queryId: matches(/^\d{20,21}$/),
  accType: matches(/^0[123]$/),
  termId: matches(/^\d{8}$/),
  customerIp: atMost(40),
  orderDesc: atMost(32),
  reqReserved: atMost(1024),
  reserved: atMost(2048),
  riskRateInfo: atMost(2048),
}

/** Which product code belongs to which operation; refunds and queries are taken with both (dossier 1.3). */
const BUSINESS: Readonly<Record<Operation, RegExp>> = {
  front: /^000201$/,
  app: /^000201$/,
  qr: /^000000$/,
  query: /^000(?:201|000)$/,
  refund: /^000(?:201|000)$/,
  void: /^000(?:201|000)$/,
  file: /^000000$/,
}

/** Fields that an operation does not have (dossier 5.1). */
const EXCESS: Readonly<Partial<Record<Operation, readonly string[]>>> = {
  file: ['orderId', 'channelType'],
}

/** What must be right before the signature can be looked at. */
export const findCommonFault = (fields: Fields): FieldFault | undefined => findFault(COMMON, fields)

/** The first field of an operation that is missing or badly formed. */
export function findFieldFault(operation: Operation, fields: Fields): FieldFault | undefined {
  const fault = findFault(MANDATORY[operation], fields)
  if (fault !== undefined) return fault
  if (!BUSINESS[operation].test(fields['bizType'] ?? '')) return { code: '10', field: 'bizType' }
  const excess = EXCESS[operation]?.find((name) => (fields[name] ?? '') !== '')
  if (excess !== undefined) return { code: '10', field: excess }
  const bad = Object.entries(OPTIONAL).find(([name, isRight]) => {
    const value = fields[name]
    return value !== undefined && value !== '' && !isRight(value)
  })
  return bad === undefined ? undefined : { code: '10', field: bad[0] }
}

function findFault(rules: Rules, fields: Fields): FieldFault | undefined {
  for (const [field, isRight] of Object.entries(rules)) {
    const value = fields[field] ?? ''
    if (value === '') return { code: '13', field }
    if (!isRight(value)) return { code: '10', field }
  }
  return undefined
}
