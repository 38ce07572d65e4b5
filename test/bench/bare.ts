import { z } from 'zod'
import { readSet } from './callback-set.ts'
import { makeChannel, withSecrets } from './channel.ts'
import { answer, readArgument } from './child.ts'
import { VENDOR_URL, accountSchema } from './vendor/vendor.ts'

// Verifies and reads the callbacks in a bare loop: what one core can do without HTTP.

const { account, now, path, warmUp } = readArgument(
  z.object({
    account: accountSchema,
    now: z.coerce.date(),
    path: z.string(),
    warmUp: z.number(),
  }),
)

const { id, channel } = makeChannel(withSecrets(account), {
  clock: { now: () => now },
  fetch: (url, init) => fetch(url, init),
  localHosts: [new URL(VENDOR_URL).host],
})

const callbacks = (await readSet(path)).map(({ headers, body }) => ({
  account: id,
  headers: Object.fromEntries(new Headers(headers)),
  body: new TextEncoder().encode(body),
}))

let startedAt = 0
for (const [index, callback] of callbacks.entries()) {
  if (index === warmUp) startedAt = performance.now()
  const { kind } = await channel.readCallback(callback)
  if (kind !== 'verified') throw new Error(`callback ${index} was ${kind}`)
}
answer(((callbacks.length - warmUp) * 1000) / (performance.now() - startedAt))
