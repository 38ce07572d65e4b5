import { describe, expect, test } from 'bun:test'
import { newDeliveryId, newEndpointId } from '#domain/id'
import type { DeliveryId, EndpointId } from '#domain/id'
import { createEventPool } from '#worker/event-pool'

/** A pool whose works end when the test says so. */
function openPool() {
  const errors: unknown[] = []
  const pool = createEventPool((error) => errors.push(error))
  const started: EndpointId[] = []
  const ends: (() => void)[] = []
  function add(
    endpoint: EndpointId,
    settings: { isFailing?: boolean; delivery?: DeliveryId } = {},
  ) {
    pool.add({
      endpoint,
      isFailing: settings.isFailing ?? false,
      delivery: settings.delivery ?? newDeliveryId(),
      run() {
        started.push(endpoint)
        const { promise, resolve } = Promise.withResolvers<void>()
        ends.push(resolve)
        return promise
      },
    })
  }
  const count = (endpoint: EndpointId): number => started.filter((id) => id === endpoint).length
  return { pool, errors, started, ends, add, count }
}

/** Lets what has ended be heard of. */
const turn = (): Promise<void> => Bun.sleep(0)

describe('DN-05 the pool', () => {
  test('gives an endpoint four places, and a place that is free to what waits in its line', async () => {
    const { add, count, ends } = openPool()
    const one = newEndpointId()
    for (let index = 0; index < 50; index += 1) add(one)
    expect(count(one)).toBe(4)
    ends[0]?.()
    await turn()
    expect(count(one)).toBe(5)
  })

  test('gives an endpoint that fails one place', () => {
    const { add, count } = openPool()
    const one = newEndpointId()
    for (let index = 0; index < 5; index += 1) add(one, { isFailing: true })
    expect(count(one)).toBe(1)
  })

  test('sixty endpoints that hang leave room for another, whatever comes first', () => {
    const { add, count } = openPool()
    for (let index = 0; index < 60; index += 1) {
      const hanging = newEndpointId()
      for (let event = 0; event < 50; event += 1) add(hanging)
    }
    const healthy = newEndpointId()
    for (let event = 0; event < 4; event += 1) add(healthy)
    expect(count(healthy)).toBe(4)
  })

  test('is full at some point, and then free places go round the lines', async () => {
    const { add, started, ends } = openPool()
    const many = Array.from({ length: 100 }, () => newEndpointId())
    for (const endpoint of many) for (let event = 0; event < 10; event += 1) add(endpoint)
    expect(started.length).toBe(256)
    const served = new Set(started)
    expect(served.size).toBe(64)
    for (let free = 0; free < 48; free += 1) {
      ends[free]?.()
      await turn()
    }
    expect(new Set(started).size).toBe(100)
  })

  test('knows a twin that waits', async () => {
    const { add, count, ends } = openPool()
    const one = newEndpointId()
    const delivery = newDeliveryId()
    for (let event = 0; event < 4; event += 1) add(one)
    for (let again = 0; again < 9; again += 1) add(one, { delivery })
    for (const end of ends) end()
    await turn()
    expect(count(one)).toBe(5)
  })

  test('hears of an error, and goes on', async () => {
    const { pool, errors } = openPool()
    const endpoint = newEndpointId()
    const fail = () => Promise.reject(new Error('planted'))
    pool.add({ endpoint, isFailing: true, delivery: newDeliveryId(), run: fail })
    pool.add({ endpoint, isFailing: true, delivery: newDeliveryId(), run: fail })
    await pool.idle()
    expect(errors.map(String)).toEqual(['Error: planted', 'Error: planted'])
  })

  test('F86 ends without what waits, and takes no more', async () => {
    const { pool, add, count, ends } = openPool()
    const one = newEndpointId()
    for (let event = 0; event < 9; event += 1) add(one)
    const drained = pool.drain()
    add(one)
    for (const end of ends) end()
    await drained
    expect(count(one)).toBe(4)
  })
})
