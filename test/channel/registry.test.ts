import { describe, expect, test } from 'bun:test'
import { UnknownStrategy, UnusableAccount, createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import type { Account } from '#channel/account'
import { newChannelAccountId } from '#domain/id'
import { buildChannel, defaultKeys } from './wechat-pay/support.ts'

const { account } = buildChannel()

const newRegistry = () =>
  createRegistry(strategies, {
    clock: { now: () => new Date(0) },
    fetch: () => Promise.reject(new Error('no vendor')),
    localHosts: [],
    newNonce: () => 'n'.repeat(32),
  })

const named = (strategy: string): Account => ({ ...account, strategy })

describe('registry', () => {
  test('keeps one instance per account and version', () => {
    const registry = newRegistry()
    const first = registry.get(account, '1')
    expect(registry.get(account, '1')).toBe(first)
    const second = registry.get(account, '2')
    expect(second).not.toBe(first)
    expect(registry.get(account, '2')).toBe(second)
    expect(registry.get({ ...account, id: newChannelAccountId() }, '2')).not.toBe(second)
  })

  test.each(['alipay2', '', 'constructor', '__proto__', 'toString'])(
    'the strategy "%s" is unknown, and the error says which are known',
    (name) => {
      expect(() => newRegistry().get(named(name), '1')).toThrow(UnknownStrategy)
      expect(() => newRegistry().get(named(name), '1')).toThrow('wechat-pay')
    },
  )

  test('an account that became unusable is forgotten, not used on', () => {
    const registry = newRegistry()
    registry.get(account, '1')
    expect(() => registry.get({ ...account, keys: [] }, '2')).toThrow(UnusableAccount)
    expect(registry.get({ ...account, keys: defaultKeys }, '1')).toBeDefined()
  })
})
