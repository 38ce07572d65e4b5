/** A way in which an answer can fail to be one. Takes the good answer. */
export type Breakage = (good: Response) => Response | Promise<Response>

const page = (status: number, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response('<html><body>Please come back later.</body></html>', {
    status,
    headers: { 'content-type': 'text/html', ...headers },
  })

/** The good answer's status and headers around other bytes. */
async function withBody(
  good: Response,
  change: (body: Uint8Array<ArrayBuffer>) => BodyInit,
): Promise<Response> {
  const body = new Uint8Array(await good.arrayBuffer())
  // An answer without a body cannot be cut: what a cut connection leaves is nothing.
  if (body.length === 0) throw new Error('socket hang up')
  return new Response(change(body), { status: good.status, headers: good.headers })
}

/** Delivers half of the body, then breaks the connection. */
const cutStream = (body: Uint8Array): ReadableStream =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(Uint8Array.from(body.subarray(0, body.length / 2)))
      controller.error(new Error('socket hang up'))
    },
  })

/** The same words and headers under another status. */
export const withStatus = async (answer: Response, status: number): Promise<Response> =>
  new Response(await answer.arrayBuffer(), { status, headers: answer.headers })

const BODY_BYTES = 4_000_000

/** After each of these nobody knows what the vendor did (payment rules, sections 3 and 5). */
export const BREAKAGES: Readonly<Record<string, Breakage>> = {
  'a broken connection': () => Promise.reject(new Error('ECONNRESET')),
  'a page with 200': () => page(200),
  'a page with 403': () => page(403),
  'a page with 502': () => page(502),
  'a page with 504': () => page(504),
  'a redirect': () => page(302, { location: 'https://example.com/login' }),
  'nothing with 200': () => new Response('', { status: 200 }),
  'nothing with 500': () => new Response('', { status: 500 }),
  'an empty object': () => Response.json({}),
  'an object with 500': () => Response.json({ code: 'SYSTEM_ERROR' }, { status: 500 }),
  'the good words under 500': (good) => withStatus(good, 500),
  'the good words under 502': (good) => withStatus(good, 502),
  'half of the bytes': (good) => withBody(good, (body) => body.subarray(0, body.length / 2)),
  'all bytes but the last': (good) => withBody(good, (body) => body.subarray(0, -1)),
  'a connection cut in the middle': (good) => withBody(good, cutStream),
  'more bytes than we read': (good) =>
    withBody(good, (body) => Uint8Array.from(Buffer.concat([body, Buffer.alloc(BODY_BYTES, ' ')]))),
}

/** The vendor never answers. */
export const SILENCE: Breakage = () => new Promise<Response>(() => undefined)
