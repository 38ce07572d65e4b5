import { Hono } from 'hono'
import { encodeQR } from 'qr'
import type { PaymentRow } from '#db/payment/payment'
import { findPaymentById, findSuccessor } from '#db/payment/payment-page'
import { parsePaymentId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { isPayable } from '../payable.ts'
import { encodePng } from '../png.ts'
import { Problem } from '../problem.ts'

/** ISO/IEC 18004 asks for a quiet zone of four modules. */
const options = { ecc: 'medium', border: 4 } as const
const PIXELS_PER_MODULE = 8

/** The code of a payment as an image. Whoever holds the unguessable id may see it: no API key. */
export function qrRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/payments/:id/qr.svg', async (context) => {
    const content = await loadContent(deps, context.req.param('id'))
    return image('image/svg+xml', withWhite(encodeQR(content, 'svg', options)))
  })
  route.get('/v1/payments/:id/qr.png', async (context) => {
    const content = await loadContent(deps, context.req.param('id'))
    const png = encodePng(encodeQR(content, 'raw', options), PIXELS_PER_MODULE)
    return image('image/png', new Uint8Array(png))
  })
  return route
}

/** The drawing has no ground of its own, and black on a dark page cannot be scanned. */
const withWhite = (svg: string): string =>
  svg.replace('>', '><rect width="100%" height="100%" fill="#fff"/>')

async function loadContent(deps: GatewayDeps, text: string): Promise<string> {
  const id = parsePaymentId(text)
  const payment = id === undefined ? undefined : await findPaymentById(deps.db, id)
  if (payment?.next_action?.type !== 'qr_code' || !(await isOffered(deps, payment))) {
    throw new Problem(404, 'qr_code_not_found', 'no payment of this id waits to be paid by a code')
  }
  return payment.next_action.content
}

/** As on the pay page: who scans the code of a payment that has ended or was replaced pays twice or too late. */
const isOffered = async (deps: GatewayDeps, payment: PaymentRow): Promise<boolean> =>
  isPayable(payment, deps.clock.now()) && (await findSuccessor(deps.db, payment)) === undefined

const image = (type: string, content: string | Uint8Array<ArrayBuffer>): Response =>
  new Response(content, {
    headers: {
      'content-type': type,
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'",
      'x-content-type-options': 'nosniff',
    },
  })
