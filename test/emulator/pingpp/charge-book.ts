import type { EmulatedCharge } from './charge.ts'
import type { EmulatedRefund } from './refund.ts'

/** Test and live data are apart (dossier 7), and so are apps. */
export interface NumberScope {
  readonly app: string
  readonly livemode: boolean
}

/** All charges and refunds, newest last. It keeps them and moves nothing. */
export class ChargeBook {
  readonly #charges = new Map<string, EmulatedCharge>()
  readonly #idsByNumber = new Map<string, string>()
  readonly #idsByToken = new Map<string, string>()
  /** Of one charge, newest first. */
  readonly #refunds = new Map<string, readonly EmulatedRefund[]>()

  add(charge: EmulatedCharge): void {
    this.#charges.set(charge.id, charge)
    this.#idsByToken.set(charge.token, charge.id)
    const { app, order_no: orderNumber } = charge.body
    this.#idsByNumber.set(keyOf(orderNumber, { app: app.id, livemode: charge.livemode }), charge.id)
  }

  /** Puts a moved charge in the place of the old one. */
  replace(charge: EmulatedCharge): EmulatedCharge {
    this.#charges.set(charge.id, charge)
    return charge
  }

  find(id: string): EmulatedCharge | undefined {
    return this.#charges.get(id)
  }

  findByNumber(orderNumber: string, scope: NumberScope): EmulatedCharge | undefined {
    const id = this.#idsByNumber.get(keyOf(orderNumber, scope))
    return id === undefined ? undefined : this.find(id)
  }

  findByToken(token: string): EmulatedCharge | undefined {
    const id = this.#idsByToken.get(token)
    return id === undefined ? undefined : this.find(id)
  }

  list(): readonly EmulatedCharge[] {
    return [...this.#charges.values()]
  }

  refundsOf(chargeId: string): readonly EmulatedRefund[] {
    return this.#refunds.get(chargeId) ?? []
  }

  findRefund(refundId: string): EmulatedRefund | undefined {
    return [...this.#refunds.values()].flat().find(({ id }) => id === refundId)
  }

  addRefund(refund: EmulatedRefund): void {
    this.#refunds.set(refund.chargeId, [refund, ...this.refundsOf(refund.chargeId)])
  }

  replaceRefund(refund: EmulatedRefund): EmulatedRefund {
    const refunds = this.refundsOf(refund.chargeId)
    const moved = refunds.map((other) => (other.id === refund.id ? refund : other))
    this.#refunds.set(refund.chargeId, moved)
    return refund
  }
}

const keyOf = (orderNumber: string, { app, livemode }: NumberScope): string =>
  `${livemode}/${app}/${orderNumber}`
