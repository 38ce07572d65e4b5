import { assert } from '#domain/assert'
import { claimSuccess, newTransactionId, orderObject } from '../../emulator/wechat-pay/order.ts'
import type { KnobsPatch } from '../../emulator/wechat-pay/knobs.ts'
import type { Mode } from '../../emulator/points/knobs.ts'
import { sendEvent, tellPayment } from '../outbox.ts'
import type { VendorEvent } from '../outbox.ts'
import { command, hasAttempt, pick, pickPlace } from './command.ts'
import type { Command, Stage } from './command.ts'

// What customers, the vendor and the points system do.

export const pay = (number: number, isLate: boolean): Command =>
  command({
    name: isLate ? 'pay late' : 'pay',
    words: String(number),
    check: hasAttempt,
    async run(model, { world, outbox }) {
      const { attempt } = pickPlace(model, number)
      const { vendor, main } = world.town
      const before = vendor.order(attempt.id, main.mchid)?.state
      const result = vendor.pay(attempt.id, { mchid: main.mchid, isLate })
      if (result.kind === 'refused') return false
      await result.done
      assert(!attempt.isPaid, 'nobody can pay twice')
      attempt.isPaid = true
      attempt.isPaidLate = before === 'CLOSED'
      tellPayment(world, outbox, attempt.id, result.eventId)
      return true
    },
  })

/** A genuine callback under a key that we know is acknowledged; an unknown key is asked for meanwhile. */
async function send({ world, outbox }: Stage, event: VendorEvent): Promise<boolean> {
  const status = await sendEvent(world, outbox, event)
  const isNewKey = outbox.serialMode === 'certificate' && status === 401
  assert(event.isAcknowledged || isNewKey, `a genuine callback was answered with ${status}`)
  return event.isAcknowledged
}

const waiting = ({ outbox }: Stage): VendorEvent[] =>
  outbox.events.filter(({ isAcknowledged }) => !isAcknowledged)

export const deliver = (): Command =>
  command({
    name: 'callback',
    words: '',
    async run(_model, stage) {
      const [event] = waiting(stage)
      return event === undefined ? false : send(stage, event)
    },
  })

/** Copies of one event at the same time, acknowledged before or not. */
export const duplicate = (number: number, copies: number): Command =>
  command({
    name: 'callback duplicated',
    words: `${number}, ${copies} times`,
    async run(_model, stage) {
      const { events } = stage.outbox
      if (events.length === 0) return false
      const event = pick(events, number)
      const heard = await Promise.all(Array.from({ length: copies }, () => send(stage, event)))
      return heard.includes(true)
    },
  })

const REORDERED_MAX = 4

/** The last things that happened, the newest first, whether they were heard before or not. */
export const reorder = (): Command =>
  command({
    name: 'callbacks reordered',
    words: '',
    async run(_model, stage) {
      const events = stage.outbox.events.slice(-REORDERED_MAX).toReversed()
      for (const event of events) await send(stage, event)
      return events.length > 1
    },
  })

export const deliverLate = (hours: number): Command =>
  command({
    name: 'callback late',
    words: `${hours} h`,
    async run(_model, stage) {
      const [event] = waiting(stage)
      if (event === undefined) return false
      await stage.world.pass(hours * 3600)
      return send(stage, event)
    },
  })

/** Another account's vendor says, with its own key and names, that a payment of ours is paid there. */
export const nameByOther = (number: number): Command =>
  command({
    name: "another account's callback",
    words: String(number),
    check: hasAttempt,
    async run(model, stage) {
      const { attempt } = pickPlace(model, number)
      const { town } = stage.world
      const order = town.vendor.order(attempt.id, town.main.mchid)
      if (order === undefined) return false
      const now = town.clock.now()
      const content = {
        ...orderObject({ ...claimSuccess(order, now), state: 'SUCCESS' }),
        mchid: town.other.mchid,
        appid: town.other.appid,
        transaction_id: newTransactionId(now),
      }
      const event: VendorEvent = {
        id: crypto.randomUUID(),
        orderNumber: attempt.id,
        eventType: 'TRANSACTION.SUCCESS',
        plaintext: JSON.stringify(content),
        account: 'other',
        isAcknowledged: false,
      }
      const isHeard = await send(stage, event)
      if (isHeard) attempt.isNamedByOther = true
      return isHeard
    },
  })

export const rotateKey = (): Command =>
  command({
    name: 'rotate key',
    words: '',
    run(_model, { outbox }) {
      outbox.serialMode = outbox.serialMode === 'public' ? 'certificate' : 'public'
      return Promise.resolve(true)
    },
  })

export const setPoints = (mode: Mode): Command =>
  command({
    name: `points ${mode}`,
    words: '',
    run(_model, { world }) {
      const { points } = world.town
      points.setKnobs({ mode })
      return Promise.resolve(true)
    },
  })

export const trouble = (name: string, knobs: KnobsPatch): Command =>
  command({
    name: 'vendor trouble',
    words: name,
    run(_model, { world }) {
      world.town.vendor.setKnobs(knobs)
      return Promise.resolve(true)
    },
  })
