import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import { keepDayCase } from './day-case.ts'
import { findLastScope, lockVendorMerchant } from './day-version.ts'
import { matchFund, resolveFundGone } from './match-fund.ts'
import type { DayToMatch } from './reconcile.ts'
import { tunePlans } from './stage.ts'

/**
 * Compares a day's fund bill with its transaction bill, where both are there: how many differences there are.
 *
 * `undefined` while the day has no version, or no fund bill. Under the lock of the day: either the day is matched by
 * now, and is compared here, or it is matched later, and `reconcileDay` sees the fund bill.
 */
export const reconcileFund = (db: Db, day: DayToMatch): Promise<number | undefined> =>
  commit(db, 'fund.match', async (trx) => {
    await lockVendorMerchant(trx, day)
    const scope = await findLastScope(trx, day)
    if (scope === undefined) return undefined
    await tunePlans(trx)
    const differ = await matchFund(trx, scope)
    if (differ === undefined) return undefined
    await resolveFundGone(trx, scope)
    await keepDayCase(trx, day, day.now)
    return differ
  })
