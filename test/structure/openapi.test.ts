import { expect, test } from 'bun:test'
import pino from 'pino'
import { gatewayDatabase, openDatabase } from '#db/database'
import { systemClock } from '#domain/time'
import { createApp } from '#gateway/app'
import { createCallbackCounter } from '#gateway/counter'
import type { GatewayDeps } from '#gateway/deps'
import { operations } from '#gateway/openapi/document'
import { problemsOf } from '#gateway/openapi/problem'
import { testSealKey } from '../support/platform.ts'
import { readSources } from './source.ts'

/** What customers, vendors and machines call; it is no part of the merchant API. */
const NOT_OF_MERCHANTS: Readonly<Record<string, string>> = {
  '/callback/{account}': 'vendors call it, each in its own way',
  '/return/{account}/{payment}?': 'vendors send browsers there',
  '/pay/{id}': 'the pay page',
  '/pay/{id}/method': 'the pay page',
  '/pay/{id}/query': 'the pay page',
  '/pay/{id}/events': 'the pay page',
  '/healthz': 'supervisors',
  '/readyz': 'supervisors',
  '/openapi.json': 'the document itself',
}

const routes = createApp(idleDeps())
  .routes.filter(({ method, path }) => !(method === 'ALL' && path === '/*'))
  .map(({ method, path }) => ({
    method: method.toLowerCase(),
    path: path.replaceAll(/:(\w+)/g, '{$1}'),
  }))

/** The parts of a gateway that nobody calls: only the routes are read. */
function idleDeps(): GatewayDeps {
  const url = 'postgres://nobody@127.0.0.1:1/nothing'
  const db = openDatabase(url, gatewayDatabase, () => undefined)
  const uncalled = () => Promise.reject(new Error('the routes are only listed'))
  return {
    db,
    jobs: { send: uncalled },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://127.0.0.1:1',
    localHosts: [],
    sealKey: testSealKey(),
    accounts: { find: uncalled },
    intake: { store: uncalled },
    refreshKeys: () => undefined,
    callbacks: createCallbackCounter(),
  }
}

const name = ({ method, path }: { readonly method: string; readonly path: string }): string =>
  `${method} ${path}`

test('every route of the gateway is in the document, or is not of the merchant API', () => {
  const told = new Set(operations.map(name))
  const untold = routes.filter(
    (route) => !told.has(name(route)) && !(route.path in NOT_OF_MERCHANTS),
  )
  expect(untold.map(name)).toEqual([])
})

test('every operation of the document is a route', () => {
  const known = new Set(routes.map(name))
  expect(operations.map(name).filter((operation) => !known.has(operation))).toEqual([])
})

test('no exception outlives its route, and none is of the merchant API', () => {
  const paths = new Set(routes.map(({ path }) => path))
  expect(Object.keys(NOT_OF_MERCHANTS).filter((path) => !paths.has(path))).toEqual([])
  expect(Object.keys(NOT_OF_MERCHANTS).filter((path) => path.startsWith('/v1/'))).toEqual([])
})

/** Codes that answer no operation of the merchant API. */
const OF_OTHERS = new Set([
  'account_not_found',
  'bad_request',
  'method_not_allowed',
  'method_not_changed',
  'not_found',
  'too_many_streams',
])

const sources = readSources().filter(
  ({ path }) => path.startsWith('gateway/') && !path.startsWith('gateway/console/'),
)

const PROBLEM = /new Problem\(\s*(\d{3}),\s*'(\w+)'/g

const written = new Set(
  sources.flatMap(({ text }) =>
    [...text.matchAll(PROBLEM)].map(([, status = '', code = '']) => `${status} ${code}`),
  ),
)

const documented = new Set(
  operations.flatMap((operation) =>
    Object.entries(problemsOf(operation)).flatMap(([status, codes]) =>
      codes.map((code) => `${status} ${code}`),
    ),
  ),
)

test('every problem that a route can answer with is in the document', () => {
  const untold = [...written].filter(
    (problem) => !documented.has(problem) && !OF_OTHERS.has(problem.split(' ')[1] ?? ''),
  )
  expect(untold).toEqual([])
  expect(written.size).toBeGreaterThan(30)
})

test('every problem of the document is one of a route', () => {
  // These two come from one function, which is told the code.
  const parsed = new Set(['422 body_invalid', '422 query_invalid'])
  expect([...documented].filter((code) => !written.has(code) && !parsed.has(code))).toEqual([])
})
