import { expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** Without a single variable unless given: usage is judged before the environment. */
async function run(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: { NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, out, err }
}

test.each([
  [['channel', 'list', '--nmae'], /unknown option '--nmae'/],
  [['merchant', 'add'], /--name/],
  [['merchant', 'add', '--name', ' '], /name is empty/],
  [['key', 'create', '--merchant', 'x', '--mode', 'test'], /no merchant id/],
  [['key', 'create', '--merchant', 'x', '--mode', 'real'], /Allowed choices are test, live/],
  [['channel'], /a command is missing/],
  [['channel', 'list', 'more'], /too many arguments/],
  [['channel', 'enable', 'x'], /no account id/],
  [['case', 'show', 'x'], /no case id/],
  [['case', 'resolve', 'x', '--decision', 'accept'], /--reason/],
  [['refund', 'retry', 'x', '--reason', 'y'], /no refund id/],
  [['merchant', 'policy', 'x', 'keep'], /Allowed choices are revive, refund, ask/],
  [['audit'], /a command is missing/],
  [['operator', 'add'], /missing required argument 'name'/],
  [['key', 'revoke', 'sk_test_'], /first 12 characters/],
  [['chanel'], /unknown command/],
  [[], /a command is missing/],
])('refuses %j in one line, with exit code 2', async (words, message) => {
  const { code, out, err } = await run(words)
  expect(err).toMatch(message)
  expect(err).toMatch(/^error: [^\n]+\n$/)
  expect({ code, out }).toEqual({ code: 2, out: '' })
})

test.each([[['--help']], [['channel', '--help']], [['up', '--help']]])(
  'explains itself for %j',
  async (words) => {
    const { code, out, err } = await run(words)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('Usage: pingzhang')
  },
)

const AWAY = 'postgres://ann:hunter2@127.0.0.1:1/pay'

test.each([
  [['channel', 'list'], {}, /DATABASE_URL is not set/],
  [['channel', 'list'], { DATABASE_URL: 'hunter2' }, /DATABASE_URL is no address/],
  [['channel', 'list'], { DATABASE_URL: AWAY }, /database cannot be used/],
  [['migrate'], { DATABASE_URL: AWAY }, /database cannot be used/],
  [['channel', 'add', '--file', 'x'], { DATABASE_URL: AWAY }, /PINGZHANG_SEAL_KEY is not set/],
  [
    ['channel', 'add', '--file', 'x'],
    { DATABASE_URL: AWAY, PINGZHANG_SEAL_KEY: 'hunter2' },
    /PINGZHANG_SEAL_KEY is not 64 hex digits/,
  ],
])('refuses %j with %j in one line, with exit code 3', async (words, env, message) => {
  const { code, out, err } = await run(words, { ...env })
  expect(err).toMatch(message)
  expect(err).toMatch(/^error: [^\n]+\n$/)
  expect(err).not.toContain('hunter2')
  expect({ code, out }).toEqual({ code: 3, out: '' })
})
