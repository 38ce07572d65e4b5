import type { KeyObject } from 'node:crypto'
import type { KeyPurpose } from '#domain/key'
import { z } from 'zod'
import type { AccountKey } from './account.ts'
import { keyBits } from './crypto.ts'

/** Shorter RSA keys are refused, whether ours or a vendor's. */
export const RSA_BITS_MIN = 2048

/** An address without a path, such as the example. */
export const originLike = (example: string) =>
  z
    .url({ protocol: /^https?$/ })
    .refine((text) => URL.canParse(text) && new URL(text).origin === text, {
      error: `expected an origin such as ${example}, without a path`,
    })

/** What is wrong with settings, for people. Names the fields, never what stands in them. */
export const settingsProblems = (error: z.ZodError | undefined): readonly string[] =>
  (error?.issues ?? []).map(
    ({ path, message }) => `settings ${path.join('.') || '(all)'}: ${message}`,
  )

/** What is missing among the keys and what is wrong with each of them. Never repeats a key's value. */
export function keyProblems(
  keys: readonly AccountKey[],
  required: readonly KeyPurpose[],
  checkKey: (key: AccountKey) => string | undefined,
): readonly string[] {
  const missing = required
    .filter((purpose) => !keys.some((key) => key.purpose === purpose))
    .map((purpose) => `no key for ${purpose}`)
  return [...missing, ...keys.map(checkKey).filter((problem) => problem !== undefined)]
}

/** Whether a key was read, and is long enough. */
export function checkRsa(
  { purpose, serial }: AccountKey,
  read: KeyObject | undefined,
  form = 'PEM',
): string | undefined {
  const name = `${purpose} key ${serial}`
  if (read === undefined) return `${name} is not RSA in ${form}`
  return keyBits(read) < RSA_BITS_MIN ? `${name} is shorter than ${RSA_BITS_MIN} bits` : undefined
}
