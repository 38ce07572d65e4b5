import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { BILL_LIMITS, BillBroken } from '#channel/bill'
import type { BillPart } from '#channel/bill'
import { keepBroken, loadBill } from '#db/bill/bill-load'
import type { LoadedBill } from '#db/bill/bill-load'
import { loadSealKey } from '#db/config'
import { finishUpload } from '#db/bill/run-request'
import type { RunRequest } from '#db/bill/run-request'
import { readDay, withDay } from './bill-day.ts'
import type { DayOption } from './bill-day.ts'
import { buildChannel, createCommandRegistry } from './channel-build.ts'
import { addCommand, report } from './context.ts'
import type { Context } from './context.ts'
import { databaseUrlOf } from './database.ts'
import { Failure } from './failure.ts'
import { readAccountId } from './id.ts'
import { loadStoredAccount } from './stored-account.ts'
import { withWork } from './work.ts'

interface LoadOptions extends DayOption {
  readonly file: string
}

/** `bill load`: the vendor's own file, downloaded by a person, goes the same way as one that we fetch. */
export function addBillLoad(bill: Command, context: Context): void {
  withDay(addCommand(bill, 'load', "load the vendor's file that you have, and match the day"))
    .requiredOption('--file <path>', 'the file as the vendor gave it')
    .action((options: LoadOptions) => load(context, options))
}

async function load(context: Context, options: LoadOptions): Promise<void> {
  const sealKey = loadSealKey(context.env)
  const bytes = await sizeOf(options.file)
  const loaded = await withWork(context, async (db, { jobs }) => {
    const request = await readDay(context, db, options)
    const account = await loadStoredAccount(db, sealKey, readAccountId(options.account))
    const part = buildChannel(createCommandRegistry(context), account).bill
    if (part === undefined) throw new Failure('usage', `there are no bills of ${account.strategy}`)
    const done = await loadFile(context, { options, request, part, bytes })
    await finishUpload(db, jobs, { ...request, lines: done.lines })
    return done
  })
  const { isRepeat, lines } = loaded
  const again = isRepeat ? ', the same bytes as before' : ''
  report(context, options, {
    json: {
      bill: loaded.id,
      business_date: options.date,
      kind: options.kind,
      lines,
      repeat: isRepeat,
    },
    text: `${options.kind} bill of ${options.date}: ${lines} lines${again}`,
  })
}

interface Loading {
  readonly options: LoadOptions
  readonly request: RunRequest
  readonly part: BillPart
  readonly bytes: number
}

async function loadFile(
  context: Context,
  { options, request, part, bytes }: Loading,
): Promise<LoadedBill> {
  const { owner, businessDate } = request
  const { file: path, kind } = options
  const url = databaseUrlOf(context)
  const raw = { merchantId: owner.merchantId, path, headers: { 'uploaded-by': request.actor } }
  const lines = part.read({ path, bytes, businessDate }, kind)
  try {
    return await loadBill(url, {
      merchantId: owner.merchantId,
      vendorMerchantId: owner.vendorMerchantId,
      kind,
      businessDate,
      raw,
      lines,
    })
  } catch (error) {
    if (!(error instanceof BillBroken)) throw error
    // Refused whole, and kept: somebody must see what it was.
    const digest = await keepBroken(url, { ...raw, broken: error.message })
    throw new Failure('usage', `nothing of the file is used: ${error.message}; kept as ${digest}`)
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path)
    if (found.isFile() && found.size > 0 && found.size <= BILL_LIMITS.rawBytesMax) return found.size
  } catch {
    // Absent and unreadable are the same to whoever named it.
  }
  throw new Failure('usage', `--file takes a file of 1 to ${BILL_LIMITS.rawBytesMax} bytes`)
}
