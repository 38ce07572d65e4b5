import type { Source } from './source.ts'

// Finds side effects of production code by their text, and those among them without a failpoint on either side.

/** A point that stands directly around what follows: `around('points.call', () =>`. */
const AROUND = /\baround\(\s*'[^']+',\s*\(\) =>\s*$/

const isAround = (before: string): boolean => AROUND.test(before)

/** The parts of a channel that speak to its vendor: each of them records what was said. */
export function vendorCalls(sources: readonly Source[]): string[] {
  const texts = ['channel/channel.ts', 'channel/bill.ts'].map(
    (path) => sources.find((source) => source.path === path)?.text ?? '',
  )
  return texts.flatMap((text) =>
    [...text.matchAll(/^ {2}(\w+)\??\(([^)]*\brecord: RecordExchange,?\s*)\)/gm)].map(
      (match) => match[1] ?? '',
    ),
  )
}

/** Hands `fetch` on to a channel, whose calls are bracketed by name, or speaks to ourselves. */
const FETCH_ALLOWED: Readonly<Record<string, string>> = {
  'gateway/start.ts': 'hands fetch on to the channels, and serves',
  'worker/make-deps.ts': 'hands fetch on to the channels and to the event client',
  'worker/clock-skew.ts': 'stands between the channels and fetch',
  'cli/channel-build.ts': 'hands fetch on to the channels',
  'cli/refund-key.ts': 'hands fetch on to the channels, and asks none',
  'cli/ready.ts': 'asks our own gateway whether it is up',
}

/** Commits one thing after the other as its own tool does, and is repeated whole. */
const COMMIT_ALLOWED: Readonly<Record<string, string>> = {
  'db/commit.ts': 'is the place with the points',
  'db/migrate.ts': 'migrations, before anything runs',
}

/** Everything of a file that changes something outside of it, and has no point on either side. */
export function bareEffects({ path, text }: Source, calls: readonly string[]): string[] {
  const code = withoutComments(text)
  return [
    ...(path in COMMIT_ALLOWED ? [] : bareCommits(code)),
    ...(path.startsWith('channel/') ? [] : bareVendorCalls(code, calls)),
    ...(path.startsWith('channel/') || path in FETCH_ALLOWED ? [] : bareFetches(code)),
  ]
}

export const withoutComments = (text: string): string =>
  text.replaceAll(/^\s*(\/\/|\/\*\*?|\*).*$/gm, '').replaceAll(/ \/\/ .*$/gm, '')

/** In a transaction, or a part of a statement that its caller runs. */
const IN_ANOTHER = /^(trx\b|creator\.insertInto\()/

/** Transactions of another kind than `commit`, and single statements that write outside of one. */
function bareCommits(code: string): string[] {
  const transactions = find(code, /\.(transaction|startTransaction)\(\)/g, () => false)
  const statements = find(
    code,
    /(?<![\w.])[\w.]+\s*\.(insertInto|updateTable|deleteFrom|mergeInto)\(/g,
    (match, before) => IN_ANOTHER.test(match) || isAround(before),
  )
  const plain = find(code, /(?<![\w.])[\w.]+\.query\(\s*['"`]COMMIT/g, (_match, before) =>
    isAround(before),
  )
  return [...transactions, ...statements, ...plain, ...bareSql(code)]
}

/** Raw statements that write, run on a pool: in a declaration with such words each must be bracketed. */
function bareSql(code: string): string[] {
  return code.split(/\n(?=(?:export |async |function |const ))/).flatMap((part) => {
    if (!/\b(INSERT INTO|UPDATE \S+|DELETE FROM|MERGE INTO)\b/.test(part)) return []
    const runs = [...part.matchAll(/`\s*\.execute\(\s*(?:\w+\.)*\w*[dD]b,?\s*\)/g)]
    const bracketed = [...part.matchAll(/\baround\(\s*'[^']+',\s*\(\) =>\s*sql\b/g)]
    return runs.length > bracketed.length ? [part.trim().split('\n')[0] ?? ''] : []
  })
}

function bareVendorCalls(code: string, names: readonly string[]): string[] {
  const name = names.filter((call) => call !== 'fetch').join('|')
  const direct = find(
    code,
    new RegExp(`(?<![\\w.])[\\w.?]+\\.(${name})\\(`, 'g'),
    (match, before) => (isOurs(match) ? true : isAround(before)),
  )
  const bills = find(code, /\bpart\.fetch\(/g, (_match, before) => isAround(before))
  const alias = new RegExp(`const (\\w+) = [\\w.?]+\\.(?:${name})$`, 'gm')
  const taken = names.filter((call) =>
    new RegExp(`const \\{[^}]*\\b${call}\\b[^}]*\\} =`).test(code),
  )
  const aliases = [...[...code.matchAll(alias)].map((match) => match[1] ?? ''), ...taken]
  const aliased = aliases.flatMap((own) =>
    find(code, new RegExp(`(?<![\\w.])${own}\\(`, 'g'), (_match, before) => isAround(before)),
  )
  const handed = find(
    code.replaceAll(alias, ''),
    new RegExp(`(?:\\bpart|\\.channel|\\bchannel)\\.(${name})\\b(?!\\(| === undefined)`, 'g'),
    () => false,
  )
  return [...direct, ...bills, ...aliased, ...handed]
}

/** A database's client and an incoming request have a `query`, too. */
const isOurs = (match: string): boolean => /^(client|pool|context\.req)\.query\($/.test(match)

function bareFetches(code: string): string[] {
  return find(
    code,
    /(?<![\w.])(?:options\.)?fetch\(/g,
    (_match, before) => isAround(before) || /\b(async |function )$/.test(before),
  )
}

/** What matches, unless it is fine where it stands. */
function find(
  code: string,
  pattern: RegExp,
  isFine: (match: string, before: string) => boolean,
): string[] {
  return [...code.matchAll(pattern)]
    .filter((match) => !isFine(match[0], code.slice(0, match.index)))
    .map((match) => match[0].replaceAll(/\s+/g, ''))
}
