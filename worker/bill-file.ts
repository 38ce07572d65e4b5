import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { BILL_LIMITS } from '#channel/bill'
import type { BillSink } from '#channel/bill'

/** A raw bill on its way: on disk, because it can be larger than memory. */
export interface TemporaryBill extends BillSink {
  readonly path: string
  bytes(): number
  close(): Promise<void>
  /** Closes it, if that has not been done, and removes it. */
  remove(): Promise<void>
}

/** Of this machine or container: another one may share the disk, and has processes of its own. */
const PREFIX = `pingzhang-bill-${hostname().replaceAll(/[^0-9A-Za-z.]/g, '_')}-`
const OF_PROCESS = /^(\d{1,10})-/

/** Directories that this process uses. */
const inUse = new Set<string>()

/**
 * Opens a file in a directory of its own. Its name says whose it is, and nothing that an archive or a vendor chose:
 * `removeLeftBills` must tell it from one that a process which was killed has left.
 */
export async function openBillFile(): Promise<TemporaryBill> {
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))
  inUse.add(directory)
  const path = join(directory, 'raw')
  const file = await open(path, 'w')
  let bytes = 0
  let isOpen = true
  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    await file.close()
  }
  return {
    path,
    bytes: () => bytes,
    async write(chunk) {
      bytes += chunk.length
      if (bytes > BILL_LIMITS.rawBytesMax) return false
      await file.write(chunk)
      return true
    },
    close,
    async remove() {
      await close()
      await rm(directory, { recursive: true, force: true })
      inUse.delete(directory)
    },
  }
}

/** Removes what processes of this machine have left that are no more. Returns how many there were. */
export async function removeLeftBills(): Promise<number> {
  let removed = 0
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue
    const directory = join(tmpdir(), name)
    const owner = Number(OF_PROCESS.exec(name.slice(PREFIX.length))?.[1] ?? 0)
    // In a container every life has the same number: what is not in use here is of an earlier one.
    const isLeft = owner === process.pid ? !inUse.has(directory) : owner > 0 && !isAlive(owner)
    if (isLeft && (await isRemoved(directory))) removed += 1
  }
  return removed
}

async function isRemoved(directory: string): Promise<boolean> {
  try {
    await rm(directory, { recursive: true, force: true })
    return true
  } catch {
    // Another user's, who has to clean up himself; a worker starts without.
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 asks, and does nothing.
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process lives, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
