import type { ApiRequest, VendorAnswer, VendorHttp } from '../core/server.ts'
import { writeAnswer } from './answer.ts'
import { handleMessage } from './api.ts'
import { Cashier } from './cashier.ts'
import { hasSmallEscapes } from './message.ts'
import type { Door } from './request.ts'
import { readMessage } from './request.ts'
import type { UnionpayVendor } from './vendor.ts'

const FRONT = '/gateway/api/frontTransReq.do'
const CASHIER = '/gateway/cashier/'

/** Dossier 1.1. Files have a host of their own there, and its root here. */
const DOORS: Readonly<Record<string, Door>> = {
  '/': 'file',
  '/gateway/api/backTransReq.do': 'back',
  '/gateway/api/appTransReq.do': 'app',
  '/gateway/api/queryTrans.do': 'query',
}

/** The gateway's addresses, and the pages of its cashier. */
export function createHttp(vendor: UnionpayVendor): VendorHttp {
  const cashier = new Cashier(vendor)
  return {
    isForBuyer: ({ path }) => path === FRONT || path.startsWith(CASHIER),
    serverError: () => emptyAnswer(500),
    answer: (request) => {
      if (request.method !== 'POST') return emptyAnswer(405)
      if (hasSmallEscapes(request.body)) return emptyAnswer(500)
      if (request.path === FRONT) return cashier.open(request)
      if (request.path.startsWith(CASHIER)) {
        return cashier.press(request.path.slice(CASHIER.length), request)
      }
      const door = DOORS[request.path]
      return door === undefined ? emptyAnswer(404) : answerDoor(vendor, door, request)
    },
  }
}

async function answerDoor(
  vendor: UnionpayVendor,
  door: Door,
  request: ApiRequest,
): Promise<VendorAnswer> {
  const { settings, now } = vendor
  const reading = readMessage({ merchants: settings.merchants, now }, door, request)
  if (reading.kind === 'refused') {
    const { code, text } = reading
    return writeAnswer(vendor, reading, { operation: door, code, text })
  }
  return writeAnswer(vendor, reading, await handleMessage(vendor, reading))
}

const emptyAnswer = (status: number): VendorAnswer => ({ response: new Response(null, { status }) })
