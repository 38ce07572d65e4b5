import { parseSealKey } from './seal.ts'
import type { SealKey } from './seal.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Configuration is missing or wrong. The message names the variable and never repeats its value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Reads a variable that must be there. */
export function loadVariable(env: Env, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw new ConfigError(`${name} is not set`)
  return value
}

/** Reads the key-encryption key: `PINGZHANG_SEAL_KEY`, 64 hex digits. */
export function loadSealKey(env: Env): SealKey {
  const key = parseSealKey(loadVariable(env, 'PINGZHANG_SEAL_KEY'))
  if (key === undefined) throw new ConfigError('PINGZHANG_SEAL_KEY is not 64 hex digits')
  return key
}

/** Reads a whole number between two limits. */
export function loadNumber(env: Env, name: string, fallback: number): number {
  const text = env[name]
  if (text === undefined || text === '') return fallback
  if (!/^\d{1,9}$/.test(text)) throw new ConfigError(`${name} is not a whole number`)
  return Number(text)
}

/** `host:port` pairs that may be reached by plain http; empty in production (design, section 1). */
export const loadLocalHosts = (env: Env): readonly string[] =>
  (env['PINGZHANG_LOCAL_HOSTS'] ?? '').split(',').filter((host) => host !== '')
