import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'bun:test'
import { chainOf, isTrusted } from '#channel/certificate'
import chain from '../fixture/unionpay/chain.json'

const read = (pem: string): X509Certificate => new X509Certificate(pem)
const now = new Date('2026-03-14T02:15:30Z')
const [root, intermediate] = [read(chain.root), read(chain.intermediate)]
/** Ended in 2025; names and keys are those of the certificates in force. */
const [endedRoot, endedIntermediate] = [read(chain.endedRoot), read(chain.endedIntermediate)]
const leaf = read(chain.live.certificate)

describe('a chain', () => {
  test('goes from the certificate to one of our roots', () => {
    const found = chainOf(leaf, { roots: [root], between: [intermediate], now })
    expect(found?.map(({ raw }) => raw)).toEqual([leaf.raw, intermediate.raw, root.raw])
  })

  test('passes a renewed authority that stands beside the ended one, whichever comes first', () => {
    for (const roots of [
      [endedRoot, root],
      [root, endedRoot],
    ]) {
      for (const between of [
        [endedIntermediate, intermediate],
        [intermediate, endedIntermediate],
      ]) {
        expect(isTrusted(leaf, { roots, between, now })).toBe(true)
      }
    }
  })

  test.each([
    ['the root', { roots: [endedRoot], between: [intermediate] }],
    ['what stands in between', { roots: [root], between: [endedIntermediate] }],
  ])('is none when %s has ended', (_, trust) => {
    const last = new Date('2024-12-31T23:59:59Z')
    expect(isTrusted(leaf, { ...trust, now: last })).toBe(true)
    expect(isTrusted(leaf, { ...trust, now: new Date('2025-01-01T00:00:00Z') })).toBe(false)
  })

  test('is none when the root came with the certificate and is not ours', () => {
    expect(isTrusted(leaf, { roots: [], between: [intermediate, root], now })).toBe(false)
    const roots = [read(chain.otherRoot)]
    expect(isTrusted(leaf, { roots, between: [intermediate, root], now })).toBe(false)
  })

  test('of a root is the root, and a certificate that signs itself and is not ours has none', () => {
    expect(isTrusted(root, { roots: [root], between: [], now })).toBe(true)
    const own = read(chain.selfSigned.certificate)
    expect(isTrusted(own, { roots: [root], between: [own, intermediate], now })).toBe(false)
  })

  test('ends at a certificate that may not sign others, though ours', () => {
    const ordinary = read(chain.other.certificate)
    const roots = [root, intermediate, ordinary]
    expect(isTrusted(read(chain.byLeaf.certificate), { roots, between: [], now })).toBe(false)
  })
})
