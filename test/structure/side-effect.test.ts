import { describe, expect, test } from 'bun:test'
import { readSources } from './source.ts'
import { bareEffects, vendorCalls } from './side-effect.ts'

const sources = readSources()
const production = sources.filter(({ path }) => !path.startsWith('test/'))
const calls = vendorCalls(sources)

test('knows every call of a channel to its vendor', () => {
  expect(calls.toSorted()).toEqual([
    'closePayment',
    'createPayment',
    'fetch',
    'fetchKeys',
    'query',
    'queryForeign',
    'queryPayment',
    'submit',
  ])
})

test('every vendor call, points call, merchant call and commit has a failpoint on either side', () => {
  const bare = production.flatMap((source) =>
    bareEffects(source, calls).map((effect) => `${source.path}: ${effect}`),
  )
  expect(bare).toEqual([])
})

describe('sees a side effect without a failpoint', () => {
  const found = (text: string, path = 'worker/job/planted.ts'): number =>
    bareEffects({ path, text }, calls).length

  test.each([
    ['a transaction of its own', `await db.transaction().execute((trx) => work(trx))`],
    ['an insert on a pool', `await db\n    .insertInto('payment')\n    .execute()`],
    ['an update on the pool of a job', `await deps.db.updateTable('refund').execute()`],
    ['a delete under another name', `await pool.deleteFrom('payment').execute()`],
    ['raw SQL on a pool', 'await sql`\n  UPDATE payment SET state = 1`.execute(deps.db)'],
    ['a plain COMMIT', `await client.query('COMMIT')`],
    ['a vendor call', `const outcome = await channel.createPayment(prepared, record)`],
    ['a vendor call of a part', `(record) => part.submit(request, record)`],
    ['a bill', `const outcome = await part.fetch(request, file, record)`],
    ['a vendor call by another name', `const ask = part.queryForeign\nawait ask(payment, record)`],
    [
      'a vendor call taken out',
      `const { queryForeign } = part\nawait queryForeign(payment, record)`,
    ],
    ['a vendor call that is handed on', `speak(deps, vendor.channel.queryPayment)`],
    ['a points call', `const response = await fetch(url, init)`],
    ['a merchant call', `const response = await options.fetch(address.url, init)`],
  ])('%s', (_what, text) => {
    expect(found(text)).toBe(1)
  })

  test.each([
    `await commit(db, 'refund.begin', (trx) => trx.updateTable('refund').execute())`,
    `await around('refund.delay', () =>\n    db.updateTable('refund').execute(),\n  )`,
    "await around('sweep.count', () =>\n  sql`UPDATE refund SET state = 1`.execute(db))",
    `await around('bill.load', () => client.query('COMMIT'))`,
    `await around('vendor.create', () => channel.createPayment(prepared, record))`,
    `const ask = part.queryForeign\nawait around('vendor.foreign-refund', () => ask(payment, record))`,
    `if (part?.queryForeign === undefined) return`,
    `const response = await around('points.call', () => fetch(url, init))`,
    `// await fetch(url, init)\nconst rows = await db.selectFrom('payment').execute()`,
  ])('and lets this be: %p', (text) => {
    expect(found(text)).toBe(0)
  })
})
