import { mkdtemp, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BILL_LIMITS } from '#channel/bill'
import type { BillSink } from '#channel/bill'

/** A raw bill on its way: on disk, because it can be larger than memory. */
export interface TemporaryBill extends BillSink {
  readonly directory: string
  readonly path: string
  bytes(): number
  close(): Promise<void>
}

/** Opens a file in a directory of its own; the name says nothing that an archive or a vendor chose. */
export async function openBillFile(businessDate: string): Promise<TemporaryBill> {
  const directory = await mkdtemp(join(tmpdir(), `pingzhang-bill-${businessDate}-`))
  const path = join(directory, 'raw')
  const file = await open(path, 'w')
  let bytes = 0
  return {
    directory,
    path,
    bytes: () => bytes,
    async write(chunk) {
      bytes += chunk.length
      if (bytes > BILL_LIMITS.rawBytesMax) return false
      await file.write(chunk)
      return true
    },
    close: () => file.close(),
  }
}
