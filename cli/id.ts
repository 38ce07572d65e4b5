import {
  parseCaseId,
  parseChannelAccountId,
  parseDiscrepancyId,
  parseMerchantId,
  parseRefundId,
} from '#domain/id'
import type { CaseId, ChannelAccountId, DiscrepancyId, MerchantId, RefundId } from '#domain/id'
import { Failure } from './failure.ts'

// None repeats what was given: it may be a key that was pasted into the wrong place.

export function readMerchantId(text: string): MerchantId {
  const id = parseMerchantId(text)
  if (id !== undefined) return id
  throw new Failure('usage', 'that is no merchant id; expected m and 25 letters or digits')
}

export function readAccountId(text: string): ChannelAccountId {
  const id = parseChannelAccountId(text)
  if (id !== undefined) return id
  throw new Failure(
    'usage',
    'that is no account id; "channel list" shows them: a and 25 characters',
  )
}

export function readCaseId(text: string): CaseId {
  const id = parseCaseId(text)
  if (id !== undefined) return id
  throw new Failure('usage', 'that is no case id; "case list" shows them: c and 25 characters')
}

export function readRefundId(text: string): RefundId {
  const id = parseRefundId(text)
  if (id !== undefined) return id
  throw new Failure('usage', 'that is no refund id; expected r and 25 letters or digits')
}

export function readDiscrepancyId(text: string): DiscrepancyId {
  const id = parseDiscrepancyId(text)
  if (id !== undefined) return id
  throw new Failure(
    'usage',
    'that is no discrepancy id; "discrepancy list" shows them: f and 25 characters',
  )
}
