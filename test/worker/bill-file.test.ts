import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { tmpdir } from 'node:os'
import { openBillFile, removeLeftBills } from '#worker/bill-file'

/** A directory as a process of this number would have named it. */
async function leftBy(pid: number | string): Promise<string> {
  const mine = await openBillFile()
  await mine.close()
  const directory = dirname(mine.path)
  const name = `${basename(directory).replace(`-${process.pid}-`, `-${pid}-`)}left`
  const left = join(tmpdir(), name)
  renameSync(directory, left)
  await mine.remove()
  return left
}

/** The number of a process that has just ended. */
async function deadPid(): Promise<number> {
  const child = Bun.spawn(['true'])
  await child.exited
  return child.pid
}

test('what processes left that are no more is removed, and nothing else', async () => {
  const mine = await openBillFile()
  const foreign = mkdtempSync(join(tmpdir(), 'pingzhang-bill-elsewhere-1-'))
  const kept = [dirname(mine.path), foreign, await leftBy(process.ppid), await leftBy('x')]
  const left = [await leftBy(await deadPid()), await leftBy(process.pid)]
  try {
    // Not how many: a killed process of another test may have left one, too.
    expect(await removeLeftBills()).toBeGreaterThanOrEqual(left.length)
    expect(left.filter((path) => existsSync(path))).toEqual([])
    expect(kept.filter((path) => !existsSync(path))).toEqual([])
  } finally {
    await mine.remove()
    for (const path of kept) rmSync(path, { recursive: true, force: true })
  }
})

test('a file is gone with its directory once it is removed', async () => {
  const file = await openBillFile()
  expect(await file.write(Uint8Array.of(1, 2, 3))).toBe(true)
  expect([file.bytes(), existsSync(file.path)]).toEqual([3, true])
  await file.remove()
  expect(existsSync(dirname(file.path))).toBe(false)
})
