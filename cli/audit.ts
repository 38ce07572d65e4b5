import type { Command } from 'commander'
import { listMerchantIds, verifyAudit } from '#db/case/audit-verify'
import type { AuditVerdict } from '#db/case/audit-verify'
import type { MerchantId } from '#domain/id'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { loadMerchant } from './merchant-policy.ts'

interface VerifyOptions extends JsonOption {
  readonly merchant?: string
}

interface Verified {
  readonly merchantId: MerchantId
  readonly verdict: AuditVerdict
}

export function addAuditCommands(program: Command, context: Context): void {
  const audit = program.command('audit').description('who decided what, and why')
  addCommand(audit, 'verify', 'walk the chain of the audit and name the first broken entry')
    .option('--merchant <id or name>', 'only this one')
    .action((options: VerifyOptions) => verify(context, options))
}

async function verify(context: Context, options: VerifyOptions): Promise<void> {
  const verified = await withDatabase(context, async (db) => {
    const ids =
      options.merchant === undefined
        ? await listMerchantIds(db)
        : [(await loadMerchant(db, options.merchant)).id]
    const verdicts: Verified[] = []
    for (const merchantId of ids) {
      verdicts.push({ merchantId, verdict: await verifyAudit(db, merchantId) })
    }
    return verdicts
  })
  const broken = verified.flatMap(({ merchantId, verdict }) =>
    verdict.kind === 'broken' ? [{ merchantId, verdict }] : [],
  )
  // A program gets the whole answer also when something is broken; people get the one line.
  const isIntact = broken.length === 0
  if (isIntact || options.json === true) {
    report(context, options, {
      json: { intact: isIntact, merchants: verified.map(toJson) },
      text: verified.map(describe).join('\n') || 'there is no merchant',
    })
  }
  const [first] = broken
  if (first !== undefined) throw brokenAt(first.merchantId, first.verdict)
}

const FAULTS = {
  place: 'it is not the next one: an entry before it is gone',
  previous_hash: 'it follows another entry than the one before it',
  hash: 'it was changed after it was written',
} as const

const brokenAt = (
  merchantId: MerchantId,
  { place, id, fault }: Extract<AuditVerdict, { kind: 'broken' }>,
): Failure =>
  new Failure(
    'environment',
    `the audit of merchant ${merchantId} is broken at entry ${place} (${id}): ${FAULTS[fault]}; find out who writes to this database`,
  )

const describe = ({ merchantId, verdict }: Verified): string =>
  verdict.kind === 'intact'
    ? `audit of merchant ${merchantId}: ${verdict.entries} entries, intact, ends in ${verdict.lastHash}`
    : `audit of merchant ${merchantId}: broken at entry ${verdict.place}`

const toJson = ({ merchantId, verdict }: Verified) => ({
  merchant: merchantId,
  intact: verdict.kind === 'intact',
  ...(verdict.kind === 'intact'
    ? { entries: verdict.entries, last_hash: verdict.lastHash }
    : { place: Number(verdict.place), entry: verdict.id, fault: verdict.fault }),
})
