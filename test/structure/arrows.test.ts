import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Plants one file at a time in an empty project that has our linter settings.

const root = fileURLToPath(new URL('../../', import.meta.url))
let project = ''

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'pingzhang-lint-'))
  await cp(join(root, '.oxlintrc.json'), join(project, '.oxlintrc.json'))
})
afterAll(() => rm(project, { recursive: true, force: true }))

/** The rules that the file breaks, as the linter names them. */
async function brokenRules(path: string, text: string): Promise<string[]> {
  const file = join(project, path)
  await mkdir(dirname(file), { recursive: true })
  await Bun.write(file, text)
  try {
    const oxlint = join(root, 'node_modules', '.bin', 'oxlint')
    const child = Bun.spawn([oxlint, '--format=unix', '--deny-warnings', path], {
      cwd: project,
      stdout: 'pipe',
    })
    const output = await new Response(child.stdout).text()
    const rules = output.matchAll(/\[\w+\/(\w+\([\w/-]+\))\]/g)
    return [...new Set([...rules].map((match) => match[1] ?? ''))]
  } finally {
    await rm(file)
  }
}

const importing = (what: string): string => `import { x } from '${what}'\nexport const y = x\n`

describe('an import against the arrows', () => {
  test.each([
    ['domain/money.ts', '#db/postgres'],
    ['domain/money.ts', 'kysely'],
    ['domain/money.ts', 'node:fs'],
    ['channel/channel.ts', '#db/postgres'],
    ['channel/alipay/payment.ts', '../../db/postgres.ts'],
    ['db/payment/payment.ts', '#channel/channel'],
    ['gateway/main.ts', '#worker/queue'],
    ['gateway/route/callback.ts', '../../worker/queue.ts'],
    ['worker/main.ts', '#gateway/server'],
    ['worker/main.ts', '#cli/main'],
    ['gateway/main.ts', '#test/emulator/wechat-pay/server'],
    ['cli/main.ts', '#test/support/postgres'],
  ])('is refused: %s → %s', async (path, what) => {
    expect(await brokenRules(path, importing(what))).toEqual(['eslint(no-restricted-imports)'])
  })
})

describe('an import along the arrows', () => {
  test.each([
    ['domain/money.ts', './currency.ts'],
    ['channel/alipay/payment.ts', '../channel.ts'],
    ['channel/alipay/payment.ts', '#domain/money'],
    ['db/payment/payment.ts', '#domain/money'],
    ['db/payment/payment.ts', 'kysely'],
    ['gateway/main.ts', '#channel/channel'],
    ['worker/job/order-status.ts', '#db/payment/payment'],
    ['cli/main.ts', '#worker/main'],
    ['test/flow/callback.test.ts', '#test/emulator/wechat-pay/server'],
  ])('is accepted: %s → %s', async (path, what) => {
    expect(await brokenRules(path, importing(what))).toEqual([])
  })
})

test.each([
  ['export const x: any = 1\n', 'no-explicit-any'],
  ['export const first = (list: string[]) => list[0]!\n', 'no-non-null-assertion'],
  ['export const x = JSON.parse("1") as number\n', 'consistent-type-assertions'],
  ['export default 1\n', 'no-default-export'],
  ['try {\n  JSON.parse("")\n} catch {}\nexport const x = 1\n', 'no-empty'],
])('refuses %p', async (text, rule) => {
  const rules = await brokenRules('db/x.ts', text)
  expect(rules.join()).toContain(`(${rule})`)
})

test('accepts `as const`', async () => {
  expect(await brokenRules('db/x.ts', "export const x = ['a'] as const\n")).toEqual([])
})
