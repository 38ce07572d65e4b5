import { Problem } from './problem.ts'

/** No vendor's callback and no request of a shop comes near this. */
export const BODY_BYTES_MAX = 256 * 1024

/** Milliseconds for the whole body, however slowly it drips. */
const BODY_READ_MS = 5000

/**
 * Reads a request's bytes, counted as they come: a declared length proves nothing.
 *
 * Throws 413 above the limit, and 400 when the body does not end in time or is cut off.
 */
export async function readBody(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? '0') > BODY_BYTES_MAX) throw tooLarge()
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const deadline = setTimeout(() => void reader.cancel('too slow'), BODY_READ_MS)
  try {
    return await readAll(reader)
  } finally {
    clearTimeout(deadline)
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new Problem(400, 'body_truncated', `the body ended early: ${String(cause)}`)
    })
    if (done) return Buffer.concat(chunks)
    bytes += value.byteLength
    if (bytes > BODY_BYTES_MAX) {
      await reader.cancel('too large')
      throw tooLarge()
    }
    chunks.push(value)
  }
}

const tooLarge = (): Problem =>
  new Problem(413, 'body_too_large', `a body has at most ${BODY_BYTES_MAX} bytes`)
