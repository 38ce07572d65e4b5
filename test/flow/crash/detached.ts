import { existsSync, rmSync } from 'node:fs'

// For `bun --preload`: while the file that this names is there, the next call to the points system is
// accompanied by a promise that nobody awaits and that fails. Once.

export const DETACHED = 'PINGZHANG_TEST_DETACHED'

const marker = process.env[DETACHED]
const original = globalThis.fetch

if (marker !== undefined) {
  const planted = (...args: Parameters<typeof fetch>): ReturnType<typeof fetch> => {
    if (args[1]?.method === 'PUT' && existsSync(marker)) {
      rmSync(marker)
      void Promise.reject(new Error('planted, and nobody waits for it'))
    }
    return original(...args)
  }
  globalThis.fetch = Object.assign(planted, { preconnect: original.preconnect })
}
