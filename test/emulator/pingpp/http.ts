import { signMessage } from '../core/rsa.ts'
import type { ApiRequest, VendorAnswer, VendorHttp } from '../core/server.ts'
import type { Answer } from './answer.ts'
import {
  badApiKey,
  channelUnreachable,
  missing,
  serverTrouble,
  tooMany,
  tooManyAtOnce,
} from './answer.ts'
import type { Route } from './api.ts'
import { handleRoute, isWriting, readRoute } from './api.ts'
import { authorize } from './authorization.ts'
import { answerBuyer, isBuyerPath } from './buyer-page.ts'
import { SIGNATURE_HEADER } from './courier.ts'
import { payloadText } from './payload.ts'
import type { PingppVendor } from './vendor.ts'

/** The API of Ping++ over HTTP: who may ask, what is asked, and how the answer is signed. */
export class PingppHttp implements VendorHttp {
  readonly #vendor: PingppVendor

  constructor(vendor: PingppVendor) {
    this.#vendor = vendor
  }

  isForBuyer({ path }: ApiRequest): boolean {
    return isBuyerPath(path)
  }

  async answer(request: ApiRequest): Promise<VendorAnswer> {
    if (isBuyerPath(request.path)) return { response: answerBuyer(this.#vendor, request) }
    const { panel } = this.#vendor
    if (panel.take('status502')) return { response: badGateway() }
    const route = readRoute(request.method, request.path)
    const answer = await this.#answer(route, request)
    const hasCommitted = isWriting(route) && answer.status < 300
    if (hasCommitted && panel.take('badGatewayAfterCommit')) return { response: badGateway() }
    return { ...this.#dress(answer), hasCommitted }
  }

  serverError(): VendorAnswer {
    return this.#dress(serverTrouble())
  }

  async #answer(route: Route, request: ApiRequest): Promise<Answer> {
    const { panel, settings, now } = this.#vendor
    const fault = this.#takeFault(route)
    if (fault !== undefined) return fault
    const { accounts } = settings
    const { clockSkewSecondsMax } = panel.get()
    const authorization = authorize({ accounts, now: now(), clockSkewSecondsMax }, request)
    if (authorization.kind === 'refused') return authorization.answer
    if (isWriting(route) && panel.take('status402')) return channelUnreachable()
    return handleRoute(this.#vendor, route, { caller: authorization.caller, request })
  }

  #takeFault(route: Route): Answer | undefined {
    const { panel } = this.#vendor
    if (panel.take('status401')) return badApiKey()
    if (panel.take('status403')) return tooManyAtOnce()
    if (panel.take('status429')) return tooMany()
    return panel.take('status404')
      ? missing(route.kind === 'event' ? 'event' : 'charge')
      : undefined
  }

  /** Signed over the raw bytes, errors too (dossier 1.2). */
  #dress({ status, value, code, damage }: Answer): VendorAnswer {
    const { panel, keyring, settings } = this.#vendor
    const text = damaged(payloadText(value, panel.get()), damage)
    const headers = new Headers({ 'Content-Type': 'application/json; charset=UTF-8' })
    if (!panel.take('unsignedAnswers')) {
      const isRogue = panel.take('badlySignedAnswers')
      const privateKeyPem = isRogue ? settings.rogueKeyPem : keyring.current.privateKeyPem
      headers.set(SIGNATURE_HEADER, signMessage(privateKeyPem, text))
    }
    const sent = damage === 'corrupt' ? withOtherBit(text) : text
    const response = new Response(sent, { status, headers })
    return { response, ...(code !== undefined && { code }) }
  }
}

const BOMB_CHARACTERS = 64 * 1024 * 1024

function damaged(text: string, damage: Answer['damage']): string {
  if (damage === 'half') return text.slice(0, text.length / 2)
  return damage === 'bomb' ? text.padEnd(BOMB_CHARACTERS) : text
}

function withOtherBit(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.from(text))
  const at = Math.floor(bytes.length / 2)
  return bytes.with(at, (bytes[at] ?? 0) ^ 1)
}

/** The gateway in front of Ping++ speaks HTML and signs nothing. */
const badGateway = (): Response =>
  new Response('<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>', {
    status: 502,
    headers: { 'Content-Type': 'text/html' },
  })
