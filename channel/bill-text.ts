import { BILL_LIMITS, BillBroken } from './bill.ts'

/** One line, still within the text around it. */
export interface TextLine {
  readonly text: string
  readonly from: number
  readonly to: number
  /** 1-based. */
  readonly number: number
}

const LF = 0x0a
const CR = 0x0d
const BYTE_ORDER_MARK = '\ufeff'
const UTF8_BYTES_MAX = 3
const REPLACEMENT = '\ufffd'

/** `gb18030 or mark`: a mark says UTF-8, and without one it is GB18030, which reads all of GBK. */
export type BillCharset = 'utf-8' | 'gb18030 or mark'

/**
 * Cuts bytes into lines, wherever the pieces are cut.
 *
 * LF is no part of another character in UTF-8 nor in GB18030, so whole lines are whole characters.
 */
export class TextLines {
  readonly #charset: BillCharset
  readonly #take: (line: TextLine) => void
  #encoding: 'utf-8' | 'gb18030' | undefined
  #rest: Uint8Array = new Uint8Array()
  #number = 0

  constructor(charset: BillCharset, take: (line: TextLine) => void) {
    this.#charset = charset
    this.#take = take
  }

  push(piece: Uint8Array): void {
    const end = piece.lastIndexOf(LF) + 1
    if (end === 0) {
      this.#rest = Buffer.concat([this.#rest, piece])
    } else {
      // The line that began in the piece before, alone, so that the others need not be copied.
      const first = this.#rest.length === 0 ? 0 : piece.indexOf(LF) + 1
      if (first > 0) this.#read(Buffer.concat([this.#rest, piece.subarray(0, first)]))
      this.#read(piece.subarray(first, end))
      this.#rest = piece.slice(end)
    }
    if (this.#rest.length > BILL_LIMITS.lineBytesMax) throw tooLong(this.#number + 1)
  }

  /** The last line may lack its end. */
  end(): void {
    if (this.#rest.length > 0) this.#read(this.#rest)
  }

  #read(bytes: Uint8Array): void {
    const text = this.#decode(bytes)
    for (let from = 0; from < text.length;) {
      const lf = text.indexOf('\n', from)
      const end = lf < 0 ? text.length : lf
      this.#number += 1
      if (isTooLong(text, from, end)) throw tooLong(this.#number)
      const to = end > from && text.charCodeAt(end - 1) === CR ? end - 1 : end
      this.#take({ text, from, to, number: this.#number })
      from = end + 1
    }
  }

  #decode(bytes: Uint8Array): string {
    const encoding = (this.#encoding ??= encodingOf(this.#charset, bytes))
    try {
      // Only the very first mark is one; the decoder would drop it from the start of every piece.
      const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes)
      return this.#number === 0 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
    } catch {
      // The decoder does not say where; the first character that another one has to replace does.
      const [before = ''] = new TextDecoder(encoding).decode(bytes).split(REPLACEMENT, 1)
      const line = this.#number + before.split('\n').length
      throw new BillBroken(`expected ${encoding.toUpperCase()}`, line)
    }
  }
}

const MARK_BYTES = [0xef, 0xbb, 0xbf] as const

/** By the first bytes of the first whole line. */
function encodingOf(charset: BillCharset, bytes: Uint8Array): 'utf-8' | 'gb18030' {
  const isMarked = MARK_BYTES.every((byte, at) => bytes[at] === byte)
  return charset === 'utf-8' || isMarked ? 'utf-8' : 'gb18030'
}

const isTooLong = (text: string, from: number, to: number): boolean =>
  (to - from) * UTF8_BYTES_MAX > BILL_LIMITS.lineBytesMax &&
  Buffer.byteLength(text.slice(from, to)) > BILL_LIMITS.lineBytesMax

const tooLong = (number: number): BillBroken =>
  new BillBroken(`longer than ${BILL_LIMITS.lineBytesMax} bytes`, number)
