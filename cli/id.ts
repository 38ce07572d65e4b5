import { parseChannelAccountId, parseMerchantId } from '#domain/id'
import type { ChannelAccountId, MerchantId } from '#domain/id'
import { Failure } from './failure.ts'

// Neither repeats what was given: it may be a key that was pasted into the wrong place.

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
