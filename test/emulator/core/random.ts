import { randomBytes, randomInt } from 'node:crypto'

/** A nonce of `length` hex characters. */
export const newNonce = (length: number): string =>
  randomBytes(Math.ceil(length / 2))
    .toString('hex')
    .slice(0, length)

/** `length` decimal digits of chance. */
export const newDigits = (length: number): string =>
  Array.from({ length }, () => String(randomInt(10))).join('')
