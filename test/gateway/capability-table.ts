import { strategies } from '#channel/strategies'
import { METHODS, WALLETS } from '#domain/method'
import type { Method } from '#domain/method'
import { viewCapabilities } from '#gateway/capability'
import type { CapabilityView } from '#gateway/capability'

// Writes the tables of both READMEs: `bun test/gateway/capability-table.ts`, then `bun fmt`.

export const READMES = ['README.md', 'README.zh-CN.md'] as const
type Readme = (typeof READMES)[number]

interface Words {
  readonly columns: readonly [channel: string, ...rest: string[]]
  /** A number and its unit, from the largest unit that divides it. */
  readonly units: readonly (readonly [seconds: number, one: string, many: string])[]
  readonly to: string
}

const WORDS: Readonly<Record<Readme, Words>> = {
  'README.md': {
    columns: ['Channel', 'Close', 'Refund', 'Bill', 'Deadline'],
    units: [
      [86_400, ' day', ' days'],
      [3600, ' hour', ' hours'],
      [60, ' minute', ' minutes'],
      [1, ' second', ' seconds'],
    ],
    to: ' to ',
  },
  'README.zh-CN.md': {
    columns: ['渠道', '关单', '退款', '对账单', '支付时限'],
    units: [
      [86_400, ' 天', ' 天'],
      [3600, ' 小时', ' 小时'],
      [60, ' 分钟', ' 分钟'],
      [1, ' 秒', ' 秒'],
    ],
    to: '至 ',
  },
}

const START = '<!-- capabilities: bun test/gateway/capability-table.ts writes this table -->'
const END = '<!-- capabilities end -->'
const MARKED = new RegExp(`${START}[\\s\\S]*?${END}`)

/** The table as cells: a heading, then a row for each channel, or for each wallet of an aggregator. */
export function tableFor(readme: Readme): readonly (readonly string[])[] {
  const { columns } = WORDS[readme]
  const [channel, ...parts] = columns
  const heading = [channel, ...METHODS.map((method) => `\`${method}\``), ...parts]
  return [heading, ...viewCapabilities(strategies).flatMap((view) => rowsFor(readme, view))]
}

function rowsFor(readme: Readme, view: CapabilityView): readonly (readonly string[])[] {
  const row = (name: string, methods: readonly Method[]) => [
    name,
    ...METHODS.map((method) => mark(methods.includes(method))),
    ...[view.close, view.refund, view.bill].map(mark),
    durationFor(readme, view),
  ]
  const { wallets } = view
  if (wallets === null) return [row(`\`${view.channel}\``, view.methods)]
  return WALLETS.map((wallet) => row(`\`${view.channel}\`, \`${wallet}\``, wallets[wallet]))
}

const mark = (can: boolean): string => (can ? '✓' : '–')

function durationFor(readme: Readme, { expires_in_s: { min, max } }: CapabilityView): string {
  return `${span(readme, min)}${WORDS[readme].to}${span(readme, max)}`
}

function span(readme: Readme, seconds: number): string {
  const unit = WORDS[readme].units.find(([size]) => seconds % size === 0)
  if (unit === undefined) return String(seconds)
  const [size, one, many] = unit
  const count = seconds / size
  return `${count}${count === 1 ? one : many}`
}

/** The cells that a README shows between its markers; `undefined` when it has none. */
export function shownIn(text: string): readonly (readonly string[])[] | undefined {
  const lines = MARKED.exec(text)?.[0].split('\n').slice(1, -1)
  return lines
    ?.filter((line) => line.startsWith('|') && !/^\|[\s|:-]+$/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** The README with the table of the code in it. */
export function renew(readme: Readme, text: string): string {
  const [heading = [], ...rows] = tableFor(readme)
  const lines = [heading, heading.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.join(' | ')} |`,
  )
  return text.replace(MARKED, [START, '', ...lines, '', END].join('\n'))
}

if (import.meta.main) {
  for (const readme of READMES) {
    await Bun.write(readme, renew(readme, await Bun.file(readme).text()))
  }
}
