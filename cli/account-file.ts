import { z } from 'zod'
import { Failure } from './failure.ts'
import { KEY_PURPOSES } from '#domain/key'

/** A path: kept short and on one line, so that a pasted PEM is refused before anything repeats it. */
const path = z
  .string()
  .max(512)
  .regex(/^[^\n]+$/, { error: 'expected the path of a file' })

const keySchema = z.strictObject({
  purpose: z.enum(KEY_PURPOSES),
  serial: z
    .string()
    .regex(/^[0-9A-Za-z_-]{1,64}$/, { error: 'expected 1 to 64 letters or digits' }),
  file: path,
  /** The merchant's own certificate: proves that the private key and the serial belong together. */
  certificate_file: path.optional(),
})

const KEYS_MAX = 50

const accountSchema = z.strictObject({
  merchant: z.string(),
  name: z.string().min(1).max(100),
  strategy: z.string(),
  mode: z.enum(['test', 'live']),
  settings: z.record(z.string(), z.unknown()).default({}),
  key: z.array(keySchema).max(KEYS_MAX).default([]),
})

export type AccountFile = z.infer<typeof accountSchema>
export type KeyEntry = z.infer<typeof keySchema>

/** Reads what an operator wrote about an account. Errors name fields and never repeat values. */
export function parseAccountFile(toml: string): AccountFile {
  const parsed = accountSchema.safeParse(parseToml(toml))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(describeIssue)
  throw new Failure('usage', `the account file is wrong: ${problems.join('; ')}`)
}

function parseToml(toml: string): unknown {
  try {
    return Bun.TOML.parse(toml)
  } catch {
    // The parser's message may quote the text, and the text may hold what must not be printed.
    throw new Failure('usage', 'the account file is not TOML; check its quotes and brackets')
  }
}

const describeIssue = (issue: z.core.$ZodIssue): string =>
  `${issue.path.map(String).join('.') || 'at the top'}: ${issue.message}`
