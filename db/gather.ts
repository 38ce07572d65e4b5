import { assert } from '#domain/assert'

/** Does for many what was asked for one by one; results stand in the order of the items. */
export type DoTogether<Item, Result> = (items: readonly Item[]) => Promise<readonly Result[]>

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** Items of one statement at most, so that locks stay short (payment rules, section 6). */
const ITEMS_MAX = 300
/** One commit waits for the disk while the next one is filled. */
const RUNNING_MAX = 2

/**
 * Lets calls that come together share one statement and one commit.
 *
 * Nothing waits for company: calls of the same turn go at once, and those that come while all places are
 * taken share the next. What fails because of a row is done again one by one, so that it costs only itself.
 */
export function gather<Item, Result>(
  doTogether: DoTogether<Item, Result>,
): (item: Item) => Promise<Result> {
  const waiting: Waiting<Item, Result>[] = []
  let running = 0

  function start(): void {
    while (running < RUNNING_MAX && waiting.length > 0) {
      const batch = waiting.splice(0, ITEMS_MAX)
      running += 1
      void run(doTogether, batch).finally(() => {
        running -= 1
        start()
      })
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      setImmediate(start)
    })
}

/** Settles every call of the batch and never throws. */
async function run<Item, Result>(
  doTogether: DoTogether<Item, Result>,
  batch: readonly Waiting<Item, Result>[],
): Promise<void> {
  try {
    const results = await doTogether(batch.map(({ item }) => item))
    assert(results.length === batch.length, `${results.length} results for ${batch.length} items`)
    for (const [index, result] of results.entries()) batch[index]?.resolve(result)
  } catch (error) {
    if (batch.length > 1 && isApartWorthwhile(error)) {
      for (const one of batch) await run(doTogether, [one])
      return
    }
    for (const { reject } of batch) reject(error)
  }
}

/** The data of a row (classes 22 and 23), a deadlock or a lock that was not free (40, 55); not a lost database. */
function isApartWorthwhile(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^(?:22|23|40|55)/.test(code)
}
