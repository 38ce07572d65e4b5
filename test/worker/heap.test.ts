import { expect, test } from 'bun:test'
import { createHeapKeeper, ownHeap } from '#worker/heap'

const MEBIBYTE = 1024 * 1024

test('a heap is collected when it has grown by half since it was clean, and not at rest', () => {
  let usedBytes = 30 * MEBIBYTE
  let liveBytes = 20 * MEBIBYTE
  const keep = createHeapKeeper({
    usedBytes: () => usedBytes,
    collect: () => {
      usedBytes = liveBytes
    },
  })
  // The first time there is nothing to compare with.
  expect(keep()).toBe(true)
  expect(keep()).toBe(false)
  usedBytes = 29 * MEBIBYTE
  expect(keep()).toBe(false)
  usedBytes = 30 * MEBIBYTE
  expect(keep()).toBe(true)
  expect(usedBytes).toBe(20 * MEBIBYTE)
  // What is really held is no rubbish: there is no collection after the other for it.
  liveBytes = 60 * MEBIBYTE
  usedBytes = 61 * MEBIBYTE
  expect(keep()).toBe(true)
  expect(keep()).toBe(false)
})

test('this process’s own heap is smaller after a collection of what nobody holds', () => {
  const rubbish = Array.from({ length: 200_000 }, (_, index) => ({ index }))
  ownHeap.collect()
  const heldBytes = ownHeap.usedBytes()
  rubbish.length = 0
  ownHeap.collect()
  expect(heldBytes - ownHeap.usedBytes()).toBeGreaterThan(2 * MEBIBYTE)
})
