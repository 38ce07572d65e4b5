import type { SignedCallback } from '../../emulator/wechat-pay/callback.ts'
import type { Sale } from './sale.ts'

export interface SenderOptions {
  readonly url: string
  readonly sales: readonly Sale[]
  readonly sign: (sale: Sale) => SignedCallback
  readonly perSecond: number
}

/** The vendor's side of the story, kept apart from everything that is killed. */
export interface Sender {
  /** Event ids in the order of their acknowledgements. */
  acknowledged(): readonly string[]
  attempts(): number
  /** Attempts per second since the start. */
  rate(): number
  stop(): Promise<void>
}

const TICK_MS = 25
const TICK_ATTEMPTS_MAX = 25
const ANSWER_WITHIN_MS = 4_000
const REPEAT_AFTER_MS = 400
const MS_PER_SECOND = 1000
/**
 * Some events come again although they were acknowledged, as the vendor's do. The others never: a repeat
 * would store an event that was lost after its acknowledgement, and hide the loss.
 */
const TWICE_EVERY = 10

interface Repeat {
  readonly sale: Sale
  readonly at: number
}

/** Sends each event until it is acknowledged with 200, at an even pace whatever the answers are. */
export function startSender(options: SenderOptions): Sender {
  const acknowledged = new Set<string>()
  const repeats: Repeat[] = []
  const twice = options.sales.filter((_, index) => index % TWICE_EVERY === 0)
  const sentOnce = new Set(twice)
  const underWay = new Set<Promise<void>>()
  const startedAt = performance.now()
  let fresh = 0
  let attempts = 0

  async function send(sale: Sale): Promise<void> {
    const isAcknowledged = await deliver(options.url, options.sign(sale))
    if (isAcknowledged) acknowledged.add(sale.eventId)
    if (isAcknowledged && !sentOnce.delete(sale)) return
    repeats.push({ sale, at: performance.now() + REPEAT_AFTER_MS })
  }

  function choose(): Sale | undefined {
    const [due] = repeats
    if (due !== undefined && due.at <= performance.now()) return repeats.shift()?.sale
    fresh += 1
    const next = options.sales[fresh - 1]
    if (next !== undefined) return next
    const known = twice[fresh % twice.length]
    return known !== undefined && acknowledged.has(known.eventId) ? known : undefined
  }

  function tick(): void {
    const owed = ((performance.now() - startedAt) / MS_PER_SECOND) * options.perSecond - attempts
    for (let count = 0; count < Math.min(owed, TICK_ATTEMPTS_MAX); count += 1) {
      const sale = choose()
      if (sale === undefined) continue
      attempts += 1
      const sending = send(sale).finally(() => underWay.delete(sending))
      underWay.add(sending)
    }
  }

  const timer = setInterval(tick, TICK_MS)
  return {
    acknowledged: () => [...acknowledged],
    attempts: () => attempts,
    rate: () => attempts / ((performance.now() - startedAt) / MS_PER_SECOND),
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
    },
  }
}

/** The status decides, as the vendor documents it: a body that was cut off changes nothing. */
async function deliver(url: string, { headers, body }: SignedCallback): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
    const response = await fetch(url, { method: 'POST', headers, body, signal })
    await response.arrayBuffer().catch(() => undefined)
    return response.status === 200
  } catch {
    // Refused, cut off or too late: the vendor cannot tell them apart, and sends again.
    return false
  }
}
