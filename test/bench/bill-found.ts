import type { Db } from '#db/database'
import { assert } from '#domain/assert'
import { PLANTS } from './wechat-bill.ts'
import type { GeneratedBill, Plant } from './wechat-bill.ts'

/** Numbers of another system are one sum a day; all others are found one by one. */
const SUMMED: Plant = 'foreign'

/** Throws unless exactly what was planted in a bill is found, each at its own payment, and all else agrees. */
export async function assertAllFound(db: Db, bill: GeneratedBill): Promise<void> {
  const rows = await db
    .selectFrom('discrepancy')
    .select(['kind', 'subject', 'subject_kind', 'state', 'evidence'])
    .execute()
  for (const kind of PLANTS) {
    const found = rows.filter((row) => row.kind === kind)
    if (kind === SUMMED) assertSum(found, bill.planted[kind].length)
    else assertSubjects(kind, found, bill.planted[kind])
  }
  const others = rows.find(({ kind }) => !PLANTS.some((plant) => plant === kind))
  assert(others === undefined, `nothing else was planted, found ${others?.kind}`)
  await assertRun(db, bill)
}

interface Found {
  readonly subject: string
  readonly state: string
  readonly evidence: Readonly<Record<string, unknown>>
}

function assertSum(found: readonly Found[], lines: number): void {
  const [sum] = found
  assert(
    found.length === 1 && sum?.evidence['lines'] === lines,
    `expected one sum of ${lines} foreign lines, found ${JSON.stringify(sum?.evidence)}`,
  )
}

/** What is to be found of a kind is open, held back, or being repaired; in no case is it resolved. */
const STATES: Readonly<Partial<Record<Plant, string>>> = {
  missing_there: 'held',
  state_differs: 'repairing',
}

function assertSubjects(kind: Plant, found: readonly Found[], planted: readonly string[]): void {
  // A line that comes twice has its number behind our number.
  const subjects = found.map(({ subject }) => subject.split(' ', 1)[0] ?? '').toSorted()
  const expected = planted.toSorted()
  assert(
    Bun.deepEquals(subjects, expected),
    `expected ${expected.length} ${kind}, found ${subjects.length}, the first ones ${expected[0]} and ${subjects[0]}`,
  )
  const state = STATES[kind] ?? 'open'
  const other = found.find((row) => row.state !== state)
  assert(other === undefined, `expected that ${kind} is ${state}, found ${other?.state}`)
}

async function assertRun(db: Db, { lines, planted }: GeneratedBill): Promise<void> {
  const { missing_there: _, ...ofLines } = planted
  const found = Object.values(ofLines).flat().length
  const run = await db
    .selectFrom('reconciliation')
    .select(['lines', 'matched'])
    .executeTakeFirstOrThrow()
  assert(
    run.lines === BigInt(lines) && run.matched === BigInt(lines - found),
    `expected ${lines - found} of ${lines} lines to agree, found ${run.matched} of ${run.lines}`,
  )
}
