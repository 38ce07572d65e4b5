import { Database, SQLiteError } from 'bun:sqlite'

/** A lock on a file that the kernel drops when the process dies, however it dies. */
export interface Lock {
  release(): void
}

/** A lock that nobody refers to any more would be closed by the garbage collector. */
const held = new Set<Database>()

/**
 * Takes the lock, or returns `undefined` if somebody (this process too) has it.
 *
 * A file with a process id in it goes stale after kill -9, and ids are used again. SQLite already
 * wraps the file locks of each system, so an empty database with an open transaction is our lock.
 */
export function tryLock(path: string): Lock | undefined {
  const file = new Database(path, { create: true })
  try {
    file.run('BEGIN EXCLUSIVE')
  } catch (error) {
    file.close()
    if (error instanceof SQLiteError && error.code === 'SQLITE_BUSY') return undefined
    throw error
  }
  held.add(file)
  return { release: () => release(file) }
}

function release(file: Database): void {
  if (held.delete(file)) file.close()
}
