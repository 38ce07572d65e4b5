/** How the cases of a run ended. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Reads the totals of a JUnit report. `undefined`: there is none, or it was cut off. */
export async function readCounts(path: string): Promise<Counts | undefined> {
  const text = await Bun.file(path)
    .text()
    .catch(() => '')
  const head = /<testsuites\b[^>]*>/.exec(text)?.[0]
  if (head === undefined || !text.trimEnd().endsWith('</testsuites>')) return undefined
  const failed = attribute(head, 'failures') + attribute(head, 'errors')
  const skipped = attribute(head, 'skipped')
  return { passed: attribute(head, 'tests') - failed - skipped, failed, skipped }
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  }
}

/** The line that machines look for: `N passed, N failed`, and the skipped only if there are any. */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

const attribute = (head: string, name: string): number =>
  Number(new RegExp(` ${name}="(\\d+)"`).exec(head)?.[1] ?? 0)
