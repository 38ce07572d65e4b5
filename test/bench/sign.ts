import { signSchema } from './callback-set.ts'
import { answer, readArgument } from './child.ts'
import { findVendor } from './vendor/table.ts'

// A process that signs its share of the callbacks.

const { vendor, keys, now, from, count, path } = readArgument(signSchema)

const sign = findVendor(vendor).signer(keys, now)
const lines = Array.from({ length: count }, (_, at) => `${JSON.stringify(sign(from + at))}\n`)
await Bun.write(path, lines.join(''))
answer(count)
