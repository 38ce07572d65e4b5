import { z } from 'zod'
import { Failure } from './failure.ts'
import { KEY_PURPOSES } from '#domain/key'

/** A path: kept short and on one line, so that a pasted PEM is refused before anything repeats it. */
const path = z
  .string()
  .max(512)
  .regex(/^[^\n]+$/, { error: 'expected the path of a file' })

const pemKeySchema = z.strictObject({
  purpose: z.enum(KEY_PURPOSES),
  serial: z
    .string()
    .regex(/^[0-9A-Za-z_-]{1,64}$/, { error: 'expected 1 to 64 letters or digits' }),
  file: path,
  /** The merchant's own certificate: proves that the private key and the serial belong together. */
  certificate_file: path.optional(),
})

/** A private key and its certificate in one file under a password. The certificate says the serial. */
const pfxKeySchema = z.strictObject({
  purpose: z.literal('merchant_private'),
  /** The serial as a decimal number, only to be sure that it is the file one thinks of. */
  serial: z
    .string()
    .regex(/^[1-9]\d{0,63}$/, { error: 'expected a decimal number' })
    .optional(),
  pfx_file: path,
  password_file: path.optional(),
  password_variable: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]{0,63}$/, { error: 'expected the name of a variable' })
    .optional(),
})

/** Chosen by hand, so that what is wrong in an entry is said of that kind only. */
const keySchema = z.unknown().transform((entry, context): KeyEntry => {
  const isPfx = typeof entry === 'object' && entry !== null && 'pfx_file' in entry
  const parsed = isPfx ? pfxKeySchema.safeParse(entry) : pemKeySchema.safeParse(entry)
  if (parsed.success) return parsed.data
  for (const { path: at, message } of parsed.error.issues) {
    context.addIssue({ code: 'custom', path: [...at], message })
  }
  return z.NEVER
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
export type PemKeyEntry = z.infer<typeof pemKeySchema>
export type PfxKeyEntry = z.infer<typeof pfxKeySchema>
export type KeyEntry = PemKeyEntry | PfxKeyEntry

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
